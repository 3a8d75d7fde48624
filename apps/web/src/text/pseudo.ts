// English as no translator wrote it: accented, longer and in brackets, so that a text which did not come from the catalogue stands out, and one
// that finds no room is cut off in front of everybody's eyes.

export const OPEN = "⟦";
export const CLOSE = "⟧";

const PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ACCENTED = [..."àƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýžÀƁÇÐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽ"];
const VOWELS = "aeiouAEIOU";
/** Translations of short texts grow the most. */
const SHORT_CHARACTERS = 12;

/** Longer by about 40 %, a text of one or two words by up to twice; breaks between words stay where they are. */
export function accented(text: string): string {
  const isShort = text.length < SHORT_CHARACTERS;
  let vowels = 0;
  return [...text]
    .map((letter) => {
      const accent = ACCENTED[PLAIN.indexOf(letter)] ?? letter;
      if (!VOWELS.includes(letter)) return accent;
      vowels += 1;
      return accent.repeat(isShort || vowels % 2 === 0 ? 3 : 2);
    })
    .join("");
}

/** `pieces`: what is not to be accented, such as names and numbers, has been put between them already. */
export function pseudo(pieces: readonly string[]): string {
  return `${OPEN}${pieces.join("")}${CLOSE}`;
}
