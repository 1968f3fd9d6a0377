import { createActor, toPromise } from "xstate";
import { openBank } from "./bank.js";
import { provideOrder } from "./order.js";

// The same machine without the engine: in memory, gone with the process.
const pay = openBank(process.env.BANK ?? "bank.txt");
const order = createActor(provideOrder({ pay, keyOf: (self) => self.id }), {
  id: "order-1",
  input: { amount: 7 },
});
order.start();
order.send({ type: "CHECKOUT" });
console.log(JSON.stringify(await toPromise(order)));
