import { effectOf, openEngine, openSqliteStore } from "sidecanary";
import { openBank } from "./bank.js";
import { provideOrder } from "./order.js";

// node host.js serve            runs orders until it is stopped, or killed
// node host.js order ID AMOUNT  starts an order and checks it out, from a process of its own
// node host.js gift ID N        sends N gifts
// node host.js show ID          prints the order
const [command, id = "order-1", number = "1"] = process.argv.slice(2);

const store = await openSqliteStore({ path: process.env.STORE ?? "orders.db" });
const engine = await openEngine({
  store,
  // Only the server runs effects. The others send events and go.
  works: command === "serve",
  leaseMs: 1_000,
  pollMs: 50,
});

if (command === "serve") {
  engine.on(
    { type: "PAID" },
    ({ id, actor }) => console.log(`${actor} was paid (${id})`),
  );
}
engine.register(
  provideOrder({
    pay: openBank(process.env.BANK ?? "bank.txt"),
    keyOf: (self) => effectOf(self)?.key,
  }),
);

switch (command) {
  case "serve": {
    console.log("serving");
    await new Promise((resolve) => process.once("SIGTERM", resolve));
    break;
  }
  case "order":
    // The ids make both safe to repeat: run this command twice, and nothing happens twice.
    await engine.start(id, "order", { input: { amount: Number(number) } });
    console.log(
      await engine.deliver(id, { type: "CHECKOUT" }, {
        eventId: `${id}/checkout`,
      }),
    );
    break;
  case "gift":
    for (let n = 1; n <= Number(number); n++) {
      await engine.deliver(id, { type: "GIFT" }, {
        eventId: `${id}/gift-${n}`,
      });
    }
    break;
  case "show":
    console.log(JSON.stringify(await engine.actor(id)));
    break;
  default:
    console.error(
      "usage: node host.js serve | order ID AMOUNT | gift ID N | show ID",
    );
    process.exitCode = 1;
}

await engine.close();
await store.close();
if (command === "serve") console.log("stopped");
