// Who talks in the demonstration, and what about.

export const PEOPLE = {
  ada: "Ada",
  ben: "Ben",
  cleo: "Cleo",
  dara: "Dara",
  emil: "Emil",
} as const;
export type Person = keyof typeof PEOPLE;

export interface DemoLine {
  readonly by: Person;
  readonly text: string;
  /** Answers the line that stands so many above it. */
  readonly answers?: number;
  readonly reactions?: Readonly<Record<string, readonly Person[]>>;
  readonly pinned?: boolean;
}

export interface DemoRoom {
  readonly kind: "public" | "private" | "direct";
  /** Of a direct conversation: nobody sees it. */
  readonly name: string;
  readonly topic: string;
  /** The first makes the room. */
  readonly members: readonly [Person, ...Person[]];
  readonly lines: readonly DemoLine[];
  readonly readBy: readonly Person[];
}

export const DEMO_ROOMS: readonly DemoRoom[] = [
  {
    kind: "public",
    name: "observatory",
    topic: "The comet, the telescope, the weather",
    members: ["ada", "ben", "cleo", "dara", "emil"],
    readBy: ["ada", "ben"],
    lines: [
      {
        by: "ada",
        text: "Key to the dome: in the blue box, second shelf. The last one out **locks the shutter**.",
        pinned: true,
      },
      { by: "ada", text: "Clear sky from 22:40 on. Who brings the camera?" },
      {
        by: "ben",
        text: "I do. The mount needs these settings, as last time:\n\n```\nra  = 14h 03m\ndec = +54° 21'\n```",
        reactions: { "👍": ["ada", "dara"] },
      },
      {
        by: "cleo",
        text: "I can be there at ten. Tea for everybody.",
        reactions: { "❤️": ["ada", "ben", "emil"] },
      },
      { by: "ben", text: "@cleo could you take the spare battery?", answers: 1 },
      { by: "cleo", text: "It is in my bag already." },
      {
        by: "dara",
        text: "First picture, 30 s at ISO 1600: the tail is about **two degrees** long!",
        reactions: { "🎉": ["ada", "ben", "cleo", "emil"] },
      },
      { by: "emil", text: "Two degrees? The forecast said half of that.", answers: 1 },
      { by: "dara", text: "Measured twice. Come and look before it sets behind the hill." },
      {
        by: "ada",
        text: "@room same time on Thursday. If it rains, we calibrate the guider instead.",
      },
    ],
  },
  {
    kind: "public",
    name: "release 4.2",
    topic: "What goes out on Friday",
    members: ["ben", "ada", "dara", "emil"],
    readBy: ["ben"],
    lines: [
      {
        by: "ben",
        text: "Branch is cut. Still open:\n\n- [x] migration of the old indexes\n- [ ] notes for operators\n- [ ] one last look at the latency under load",
        pinned: true,
      },
      {
        by: "emil",
        text: "Notes are half done, I need the new flag's name. Is it `--wait` or `--timeout`?",
      },
      { by: "ben", text: "`--wait`, in seconds.", answers: 1, reactions: { "👍": ["emil"] } },
      {
        by: "dara",
        text: "Latency on the small machines:\n\n| clients | p50 | p99 |\n| --- | --- | --- |\n| 16 | 2.1 ms | 6.0 ms |\n| 256 | 18 ms | 41 ms |",
      },
      { by: "ada", text: "Better than 4.1 in every row. What changed?", answers: 1 },
      {
        by: "dara",
        text: "One line, more or less:\n\n```ts\nconst batch = queue.splice(0, queue.length);\n```\n\nWe wrote each entry by itself before.",
        reactions: { "😮": ["ada", "ben"], "🚀": ["emil"] },
      },
      {
        by: "emil",
        text: "Notes are in. @ben please read the part on upgrades, nobody else knows it.",
      },
      { by: "ben", text: "Read, two commas changed. Friday it is." },
    ],
  },
  {
    kind: "public",
    name: "kitchen",
    topic: "Lunch, recipes, who took the good knife",
    members: ["cleo", "ada", "ben", "dara", "emil"],
    readBy: ["cleo", "ada"],
    lines: [
      { by: "cleo", text: "Soup today. Lentils, cumin, a lemon. Enough for six." },
      { by: "emil", text: "Count me in 🙋" },
      { by: "dara", text: "Me too, I bring bread." },
      {
        by: "cleo",
        text: "Whoever has the good knife: it is missed.",
        reactions: { "👀": ["ada", "dara"] },
      },
      {
        by: "ben",
        text: "It is in the observatory. Do not ask.",
        answers: 1,
        reactions: { "😂": ["ada", "cleo", "dara", "emil"] },
      },
      {
        by: "cleo",
        text: "For those who asked:\n\n1. Onions, slowly, ten minutes\n2. Cumin and a spoon of tomato paste\n3. Lentils, twice as much water, 25 minutes\n4. The lemon at the very end",
        pinned: true,
      },
    ],
  },
  {
    kind: "private",
    name: "surprise for emil",
    topic: "Not a word to him",
    members: ["dara", "ada", "ben", "cleo"],
    readBy: ["dara"],
    lines: [
      { by: "dara", text: "He turns forty on the 12th. Ideas?" },
      { by: "ben", text: "An eyepiece. He has been looking at the 13 mm one for a year." },
      { by: "ada", text: "Yes!", answers: 1, reactions: { "👍": ["dara", "cleo"] } },
      {
        by: "cleo",
        text: "I make the cake. It will have rings, like Saturn.",
        reactions: { "🪐": ["ada", "ben", "dara"] },
      },
    ],
  },
  {
    kind: "direct",
    name: "",
    topic: "",
    members: ["ada", "ben"],
    readBy: ["ada"],
    lines: [
      { by: "ben", text: "Did you see that n2 died while we talked?" },
      { by: "ada", text: "No. Did it?", answers: 1 },
      {
        by: "ben",
        text: "Twice. I pulled the plug to see whether you would notice 😇",
        reactions: { "😂": ["ada"] },
      },
    ],
  },
  {
    kind: "direct",
    name: "",
    topic: "",
    members: ["ada", "cleo"],
    readBy: [],
    lines: [{ by: "cleo", text: "Are you coming by the bakery on the way? We are out of flour." }],
  },
];
