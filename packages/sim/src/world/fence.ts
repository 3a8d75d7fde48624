// Keeps a simulated world from looking outside: while it runs, real time, real timers and real
// randomness throw. Without it a forgotten `Date.now()` would make one run in a thousand differ.

interface Ambient {
  readonly owner: object;
  readonly name: string;
}

const AMBIENT: readonly Ambient[] = [
  { owner: globalThis, name: "setTimeout" },
  { owner: globalThis, name: "setInterval" },
  { owner: Math, name: "random" },
  { owner: Date, name: "now" },
  { owner: performance, name: "now" },
  { owner: crypto, name: "getRandomValues" },
  { owner: crypto, name: "randomUUID" },
];

/** Runs `action` behind the fence; the fence comes down when its promise is settled. */
export async function fenced<T>(action: () => Promise<T>): Promise<T> {
  const before = AMBIENT.map(({ owner, name }) => Object.getOwnPropertyDescriptor(owner, name));
  for (const { owner, name } of AMBIENT) {
    Object.defineProperty(owner, name, {
      configurable: true,
      writable: true,
      value: () => {
        throw new Error(`${name} was called inside the simulated world`);
      },
    });
  }
  try {
    return await action();
  } finally {
    for (const [i, { owner, name }] of AMBIENT.entries()) {
      const descriptor = before[i];
      if (descriptor !== undefined) Object.defineProperty(owner, name, descriptor);
      else Reflect.deleteProperty(owner, name);
    }
  }
}
