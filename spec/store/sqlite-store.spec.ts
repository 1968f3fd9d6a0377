import { openSqliteStore } from "../../runtime/store/sqlite/sqlite-store.ts";
import { storeContract } from "./store-contract.ts";

storeContract("sqlite", () => openSqliteStore({ path: ":memory:" }));
