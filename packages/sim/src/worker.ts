// A process of the pool, with the sources as they are.
import { serve } from "./serve.ts";

serve();
