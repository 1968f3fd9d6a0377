import fc from "fast-check";
import { check } from "../check.ts";

// Checks a property that does not hold for 1000 and above, and prints every value it is asked.
const below = (n: number): boolean => {
  console.log(`asked ${n}`);
  return n < 1_000;
};
await check(fc.property(fc.nat(), below)).catch((error: Error) => console.error(error.message));
