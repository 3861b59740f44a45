/** The avatar alone, for OBS: it plays by itself, and comes back by itself. */

import { Api } from "./api.js";
import { Player } from "./player.js";

const SHORTEST_MS = 500;
const LONGEST_MS = 3000;

const api = new Api();
const video = document.getElementById("avatar");
const session = new URLSearchParams(location.search).get("session");
let player = null;

addEventListener("pagehide", () => player?.close());
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

/** The last frame stays until a new connection has one of its own. */
for (let wait = SHORTEST_MS; ; wait = Math.min(LONGEST_MS, 1.5 * wait)) {
  try {
    player = new Player(api, video, session);
    await player.open();
    wait = SHORTEST_MS;
    await player.ended;
  } catch {
    player?.close();
  }
  await new Promise((resolve) => setTimeout(resolve, wait));
}
