// Speaks through sambertd from Node: npm ci, here
//
//   node say.mjs ipc:///run/sambertd/sambertd.sock "您好。" | aplay -f S16_LE -r 16000
import { Dealer } from "zeromq";
import { decode, encode } from "@msgpack/msgpack";

const [endpoint, text] = process.argv.slice(2);
if (!text) {
  console.error("usage: node say.mjs ENDPOINT TEXT");
  process.exit(2);
}

const daemon = new Dealer({ receiveTimeout: 10_000, linger: 500 });
daemon.connect(endpoint);
const send = (t, fields) => daemon.send(encode({ v: 1, id: "1", t, ...fields }));

await send("say", { text, credit: 8 });
try {
  for await (const [header, pcm] of daemon) {
    const reply = decode(header);
    if (reply.t === "audio") {
      process.stdout.write(pcm);
      await send("credit", { grant: 1 }); // there is room for one more
    } else if (reply.t === "error" || reply.t === "done") {
      if (reply.code) console.error(`${reply.text} (${reply.code})`);
      else if (reply.why !== "end") console.error(reply.why);
      process.exitCode = reply.why === "end" ? 0 : 1;
      break;
    }
  }
} catch (trouble) {
  console.error(`no answer from ${endpoint}: ${trouble.message}`);
  process.exitCode = 3;
}
daemon.close();
