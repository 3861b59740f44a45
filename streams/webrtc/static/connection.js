/** One WebRTC connection: the camera up, the avatar down, and a channel for commands. */

import { Problem } from "./api.js";
import { gathered } from "./ice.js";
import { viewName } from "./obs.js";

const SILENT_MS = 5000;
const NO_FRAME_MS = 20_000;
const UNSTABLE_MS = 3000;
const GOODBYE_MS = 3000;
const CAMERA_BITS = 2_500_000;

/**
 * Events: "message" (detail: a message of the server's), "frame" (the first one arrived),
 * "end" (detail: a Problem), once.
 */
export class Connection extends EventTarget {
  #api;
  #peer;
  #channel;
  #location = null;
  #watch = 0;
  #ended = false;
  #closed = new AbortController();
  #frames = 0;
  #newest = 0;
  #heard = 0;
  #error = { text: "", time: 0 };

  /** @type {MediaStream} what the server sends */
  stream = new MediaStream();

  /** @param {HTMLVideoElement} video shows the avatar */
  constructor(api, video, iceServers) {
    super();
    this.#api = api;
    video.srcObject = this.stream;
    video.addEventListener("loadeddata", () => this.dispatchEvent(new Event("frame")), { once: true, signal: this.#closed.signal });
    this.#peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.#channel = this.#peer.createDataChannel("control");
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#channel.onopen = () => this.dispatchEvent(new Event("open"));
    this.#channel.onclose = () => this.#end(this.#goodbye());
    this.#peer.ontrack = ({ track, receiver }) => {
      receiver.jitterBufferTarget = 0; // live: late frames are worth less than a steady clock
      this.stream.addTrack(track);
    };
    this.#peer.onconnectionstatechange = () => this.#look();
  }

  /**
   * @param {MediaStreamTrack | null} video null: another camera drives the avatar
   * @param {MediaStreamTrack | null} audio
   * @param {{portrait: string | null, background: string | null}} look what to begin with
   */
  async open(video, audio, look, signal) {
    const sender = video && this.#peer.addTransceiver(video, { direction: "sendrecv", streams: [new MediaStream([video])] }).sender;
    if (!video) this.#peer.addTransceiver("video", { direction: "recvonly" });
    // Sound has its place from the start, so that the microphone can come and go without a new offer.
    else this.#peer.addTransceiver(audio ?? "audio", { direction: "sendrecv" });
    await this.#peer.setLocalDescription();
    await gathered(this.#peer);
    const { sdp } = this.#peer.localDescription;
    const { answer, location } = await this.#api.openSession(sdp, { ...look, view: viewName() }, signal);
    this.#location = location;
    if (this.#ended || signal.aborted) return this.close();
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer });
    if (sender) await keepDetail(sender).catch(() => {});
    this.#newest = performance.now();
    this.#watch = setInterval(() => this.#watchFrames(), 500);
    return undefined;
  }

  send(message) {
    if (this.#channel.readyState === "open") this.#channel.send(JSON.stringify(message));
  }

  async setVideo(track) {
    await this.#sender("video")?.replaceTrack(track);
  }

  async setAudio(track) {
    await this.#sender("audio")?.replaceTrack(track);
  }

  stats() {
    return this.#peer.getStats();
  }

  /** End it from this side. */
  close() {
    this.#ended = true;
    clearInterval(this.#watch);
    this.#closed.abort();
    this.#peer.close();
    if (this.#location) this.#api.closeSession(this.#location);
    this.#location = null;
  }

  #sender(kind) {
    return this.#peer.getTransceivers().find(({ receiver }) => receiver.track.kind === kind)?.sender;
  }

  #hear(data) {
    if (this.#ended) return; // what was on its way when this side ended it
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    this.#heard = performance.now();
    if (message.type === "error") this.#error = { text: message.text, time: performance.now() };
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  /** Why the server ends the session, if those were its last words. */
  #goodbye() {
    const { text, time } = this.#error;
    return text && performance.now() - time < GOODBYE_MS ? text : "The server ended the session.";
  }

  #look() {
    const state = this.#peer.connectionState;
    if (state === "failed") this.#end("The connection was lost.");
    if (state === "disconnected") {
      setTimeout(() => this.#peer.connectionState === "disconnected" && this.#end("The connection was lost."), UNSTABLE_MS);
    }
  }

  /**
   * A connection over which nothing comes is lost, whatever its state is.  A server that still talks, but sends
   * no frame, has more time: it may only be slow.
   */
  async #watchFrames() {
    const frames = [...(await this.stats()).values()].find(isInboundVideo)?.framesDecoded ?? 0;
    if (this.#ended) return;
    const now = performance.now();
    if (frames > this.#frames) {
      this.#frames = frames;
      this.#newest = now;
    }
    if ((this.#frames || this.#heard) && now - Math.max(this.#newest, this.#heard) > SILENT_MS) this.#end("The connection was lost.");
    if (now - this.#newest > NO_FRAME_MS && !document.hidden) this.#end("No video comes from the server.");
  }

  #end(title) {
    if (this.#ended) return;
    this.close();
    this.dispatchEvent(new CustomEvent("end", { detail: new Problem(title) }));
  }
}

function isInboundVideo(entry) {
  return entry.type === "inbound-rtp" && entry.kind === "video";
}

/** The tracker lives from detail: under pressure the browser gives up frames before pixels. */
async function keepDetail(sender) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  for (const encoding of parameters.encodings) encoding.maxBitrate = CAMERA_BITS;
  await sender.setParameters(parameters);
}
