export { type MemoryStoreOptions, openMemoryStore } from "./memory/memory-store.ts";
export { openSqliteStore, type SqliteStoreOptions } from "./sqlite/sqlite-store.ts";
