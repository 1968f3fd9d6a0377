import { openMemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { storeContract } from "./store-contract.ts";

storeContract("memory", () => Promise.resolve(openMemoryStore()));
