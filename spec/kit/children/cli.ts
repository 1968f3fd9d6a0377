import "../../../runtime/cli/main.ts";
