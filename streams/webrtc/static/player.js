/** A WHEP player: one connection that takes an avatar. */

import { gathered } from "./ice.js";

const FIRST_MS = 5000;
const SILENT_MS = 4000;
const LOOK_MS = 500;

export class Player {
  #api;
  #video;
  #session;
  #peer = null;
  #location = null;
  #watch = 0;
  #end;

  /** Resolves when the connection is lost. */
  ended = new Promise((resolve) => (this.#end = resolve));

  /** @param {HTMLVideoElement} video @param {string | null} session whose avatar; null: the only or the main one */
  constructor(api, video, session) {
    this.#api = api;
    this.#video = video;
    this.#session = session;
  }

  /** Resolves with the first frame. @throws {Error} nobody is there, or nothing comes */
  async open() {
    const { ice_servers: iceServers } = await (await this.#api.request("/api/view")).json();
    this.#peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.#peer.addTransceiver("video", { direction: "recvonly" });
    this.#peer.addTransceiver("audio", { direction: "recvonly" });
    const stream = new MediaStream();
    this.#peer.ontrack = ({ track, receiver }) => {
      receiver.jitterBufferTarget = 0;
      stream.addTrack(track);
    };
    this.#peer.onconnectionstatechange = () => this.#peer?.connectionState === "failed" && this.close();
    await this.#peer.setLocalDescription();
    await gathered(this.#peer);
    const { answer, location } = await this.#api.openView(this.#peer.localDescription.sdp, this.#session);
    this.#location = location;
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer });
    await this.#frames(FIRST_MS);
    this.#video.srcObject = stream;
    this.#video.play().catch(() => {});
    this.#guard();
  }

  close() {
    clearInterval(this.#watch);
    this.#peer?.close();
    this.#peer = null;
    if (this.#location) this.#api.closeSession(this.#location);
    this.#location = null;
    this.#end();
  }

  /** Until a frame has been decoded: only then may the last connection's frame go. */
  async #frames(patience) {
    const until = performance.now() + patience;
    while ((await this.#received()) === 0) {
      if (!this.#peer || performance.now() > until) throw new Error("no frame");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #received() {
    const report = (await this.#peer?.getStats()) ?? new Map();
    const inbound = [...report.values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    return inbound?.framesReceived ?? 0;
  }

  /** A connection over which nothing comes is lost, whatever its state is. */
  #guard() {
    let [frames, newest] = [0, performance.now()];
    this.#watch = setInterval(async () => {
      const now = await this.#received();
      if (now !== frames) [frames, newest] = [now, performance.now()];
      else if (performance.now() - newest > SILENT_MS) this.close();
    }, LOOK_MS);
  }
}
