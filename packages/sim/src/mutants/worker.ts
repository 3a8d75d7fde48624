// A process of the pool with a planted bug, whose name is its argument. Only after the bug has been
// planted is anything of the system under test imported.
import { mutantNamed } from "./catalogue.ts";
import { plant } from "./plant.ts";

const mutant = mutantNamed(process.argv[2] ?? "");
const assertPlanted = plant(mutant);
const { serve } = await import("../serve.ts");
assertPlanted();
serve({ override: mutant.worlds });
