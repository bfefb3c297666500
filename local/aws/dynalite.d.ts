declare module "dynalite" {
  import type { Server } from "node:http";

  /** The package has no types of its own; these are the options of its readme that we use. */
  export default function dynalite(options?: {
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
  }): Server;
}
