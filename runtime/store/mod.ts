export { type MemoryStoreOptions, openMemoryStore } from "./memory/memory-store.ts";
