// What makes one name pass for another although no rule about characters forbids it: letters of another alphabet that look the same, signs
// that are not seen, and marks that cover the neighbours. Looked at once, before a command is proposed (text.ts); but for skeletons, which are
// compared where it is applied. Follows UTS #39.

/** Cyrillic and Greek letters that are drawn as Latin ones are (UTS #39, confusables), small and capital; and those, in the same order. */
const LIKE_LATIN = "аеорсухіјѕһԁԛԝАВЕКМНОРСТУХІЈЅԌԚԜοναρυικγΑΒΕΖΗΙΚΜΝΟΡΤΥΧ";
const DRAWN_AS = "aeopcyxijshdqwABEKMHOPCTYXIJSGQWovapuikyABEZHIKMNOPTYX";
const LATIN_OF: ReadonlyMap<string, string> = new Map(
  [...LIKE_LATIN].map((letter, at) => [letter, DRAWN_AS[at] ?? letter]),
);
const IS_LIKE_LATIN = new RegExp(`[${LIKE_LATIN}]`, "u");
const LATIN = /\p{Script=Latin}/u;
const WORD = /[\p{L}\p{M}]+/gu;

/** Whether a word mixes Latin letters with others that look like Latin ones: "аnn" with a Cyrillic а. Words of one alphabet, of any, do not. */
export function mixesLookAlikes(text: string): boolean {
  return (text.match(WORD) ?? []).some((word) => LATIN.test(word) && IS_LIKE_LATIN.test(word));
}

/**
 * The same for usernames that look the same although each is of one alphabet: "аре" in Cyrillic and "ape" (UTS #39, skeleton, of the letters
 * above). As they are shown, since a capital and its small letter need not look like those of one Latin letter. Alike under every version of Unicode, and
 * never throws.
 */
export function skeletonOf(username: string): string {
  const latin = [...username].map((letter) => LATIN_OF.get(letter) ?? letter).join("");
  return latin.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** More marks upon one letter than any language has (UTS #39, section 5.4) reach over what stands above and below. */
export function stacksMarks(text: string): boolean {
  return /\p{Mn}{5}/u.test(text.normalize("NFD"));
}

const PICTURE = String.raw`[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]`;
/** After these the joiner has a meaning in letters (RFC 5892, appendix A.2): the viramas. */
const VIRAMA = String.raw`[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca]`;
const NEEDED = new RegExp(
  [
    // Joins pictures to one, or letters to a ligature.
    String.raw`(?<=${PICTURE})\u200d(?=\p{Extended_Pictographic})|(?<=${VIRAMA})\u200d`,
    // Makes a picture of what else is a sign, a sign of what else is a picture, or a key of a digit.
    String.raw`(?<=\p{Extended_Pictographic})(?<!\p{Emoji_Presentation})\ufe0f|(?<=\p{Emoji_Presentation})\ufe0e`,
    String.raw`(?<=[0-9#*])\ufe0f(?=\u20e3)`,
  ].join("|"),
  "gu",
);

/** The text without the joiners and variation selectors that it needs to be what it looks like; those that are left do nothing that is seen. */
export function withoutNeededJoiners(text: string): string {
  return text.replace(NEEDED, "");
}
