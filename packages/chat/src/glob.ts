// Globs over names: `*` is any run of characters, `?` one. Linear in the text for every star, so a
// pattern can't be made to take long.

/** Whether the whole `text` matches; both are compared as they are, so fold them first. */
export function matchesGlob(pattern: string, text: string): boolean {
  const wanted = [...pattern];
  const given = [...text];
  let p = 0;
  let t = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (t < given.length) {
    if (wanted[p] === "*") {
      starAt = p;
      resumeAt = t;
      p += 1;
    } else if (p < wanted.length && (wanted[p] === "?" || wanted[p] === given[t])) {
      p += 1;
      t += 1;
    } else if (starAt >= 0) {
      // The last star takes one character more.
      p = starAt + 1;
      resumeAt += 1;
      t = resumeAt;
    } else {
      return false;
    }
  }
  while (wanted[p] === "*") p += 1;
  return p === wanted.length;
}
