// Peers of npm packages: they pass on what they get.
//   node node_peer.mjs LIBRARY relay WHEP_URL WHIP_URL   plays from one server, publishes to the other
//   node node_peer.mjs LIBRARY serve PORT                WHIP at /whip, the same video as WHEP at /whep
// LIBRARY: werift, libdatachannel, obs (they pass on RTP packets) or libwebrtc (images, which it encodes anew).
// Run where node_modules has the package.  Prints how many packets or images came.

import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "x.js"));
const [library, mode, ...rest] = process.argv.slice(2);
const payload = (sdp) => Number(/a=rtpmap:(\d+) (?:VP8|H264)/i.exec(sdp)?.[1]);

class Werift {
  static library = library === "werift" ? require("werift") : null;

  constructor() {
    const { RTCPeerConnection, RTCRtpCodecParameters, MediaStreamTrack, useOPUS } = Werift.library;
    const rtcpFeedback = [{ type: "nack" }, { type: "nack", parameter: "pli" }, { type: "goog-remb" }];
    const vp8 = new RTCRtpCodecParameters({ mimeType: "video/VP8", clockRate: 90000, rtcpFeedback });
    this.pc = new RTCPeerConnection({ iceServers: [], codecs: { video: [vp8], audio: [useOPUS()] } });
    this.pc.connectionStateChange.subscribe((state) => console.log("connection", state));
    this.out = new MediaStreamTrack({ kind: "video" });
    this.pc.onTrack.subscribe((track) => track.onReceiveRtp.subscribe((rtp) => this.onRtp?.(rtp.serialize())));
  }

  async offer(way) {
    if (way === "sendonly") this.pc.addTransceiver(this.out, { direction: way });
    else this.pc.addTransceiver("video", { direction: way });
    await this.pc.setLocalDescription(await this.pc.createOffer());
    return this.pc.localDescription.sdp;
  }

  async accept(sdp) {
    await this.pc.setRemoteDescription({ type: "answer", sdp });
  }

  async answer(sdp, way) {
    await this.pc.setRemoteDescription({ type: "offer", sdp });
    const video = this.pc.getTransceivers().find(({ kind }) => kind === "video");
    if (way === "sendonly") {
      await video.sender.replaceTrack(this.out);
      video.setDirection(way);
    }
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    return this.pc.localDescription.sdp;
  }

  get ready() {
    return this.pc.connectionState === "connected";
  }

  send(rtp) {
    this.out.writeRtp(rtp);
  }
}

class LibDataChannel {
  static library = ["libdatachannel", "obs"].includes(library) ? require("node-datachannel") : null;

  constructor() {
    this.pc = new LibDataChannel.library.PeerConnection("peer", { iceServers: [] });
    this.pc.onStateChange((state) => console.log("connection", state));
    this.gathered = new Promise((done) => this.pc.onGatheringStateChange((state) => state === "complete" && done()));
    this.pc.onTrack((track) => track.type() === "video" && this.use(track));
  }

  /** Without a session for RTCP it sends none, as it does where nobody sets one up. */
  use(track) {
    this.track = track;
    track.onMessage((data) => (data[1] < 192 || data[1] > 223) && this.onRtp?.(Buffer.from(data)));
  }

  async offer(way) {
    const video = new LibDataChannel.library.Video("0", way === "sendonly" ? "SendOnly" : "RecvOnly");
    video.addVP8Codec(96);
    if (way === "sendonly") video.addSSRC(4242, "peer", "stream", "track");
    this.use(this.pc.addTrack(video));
    this.pc.setLocalDescription();
    await this.gathered;
    return this.pc.localDescription().sdp;
  }

  async accept(sdp) {
    this.payload = payload(sdp);
    this.pc.setRemoteDescription(sdp, "answer");
  }

  async answer(sdp) {
    this.pc.setRemoteDescription(sdp, "offer");
    await this.gathered;
    const { sdp: text } = this.pc.localDescription();
    this.payload = payload(text);
    return text;
  }

  get ready() {
    return Boolean(this.track?.isOpen());
  }

  send(rtp) {
    if (!this.ready) return;
    rtp[1] = (rtp[1] & 128) | this.payload;
    rtp.writeUInt32BE(4242, 8);
    this.track.sendMessageBinary(rtp);
  }
}

/** libdatachannel as OBS 30 and later uses it for WHIP: sound first, then H.264, one stream, all candidates in the offer. */
class Obs extends LibDataChannel {
  async offer(way) {
    if (way === "sendonly") {
      const audio = new LibDataChannel.library.Audio("0", "SendOnly");
      audio.addOpusCodec(111);
      audio.addSSRC(4241, "obs", "stream", "stream-audio");
      this.sound = this.pc.addTrack(audio);
    }
    const video = new LibDataChannel.library.Video("1", way === "sendonly" ? "SendOnly" : "RecvOnly");
    video.addH264Codec(96);
    if (way === "sendonly") video.addSSRC(4242, "obs", "stream", "stream-video");
    this.use(this.pc.addTrack(video));
    this.pc.setLocalDescription("offer");
    await this.gathered;
    return this.pc.localDescription().sdp;
  }
}

/** Google's libwebrtc, as Chromium and the native SDKs have it. */
class LibWebRtc {
  static library = library === "libwebrtc" ? require("@roamhq/wrtc") : null;

  constructor() {
    const { RTCPeerConnection, nonstandard } = LibWebRtc.library;
    this.pc = new RTCPeerConnection({ iceServers: [] });
    this.pc.onconnectionstatechange = () => console.log("connection", this.pc.connectionState);
    this.source = new nonstandard.RTCVideoSource();
    this.pc.ontrack = ({ track }) => {
      if (track.kind !== "video") return;
      this.sink = new nonstandard.RTCVideoSink(track);
      this.sink.onframe = ({ frame }) => this.onRtp?.(frame);
    };
  }

  async described(text) {
    await this.pc.setLocalDescription(text);
    while (this.pc.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 20));
    return this.pc.localDescription.sdp;
  }

  async offer(way) {
    if (way === "sendonly") this.pc.addTransceiver(this.source.createTrack(), { direction: way });
    else this.pc.addTransceiver("video", { direction: way });
    return this.described(await this.pc.createOffer());
  }

  async accept(sdp) {
    await this.pc.setRemoteDescription({ type: "answer", sdp });
  }

  async answer(sdp, way) {
    await this.pc.setRemoteDescription({ type: "offer", sdp });
    if (way === "sendonly") {
      const video = this.pc.getTransceivers().find(({ receiver }) => receiver.track.kind === "video");
      await video.sender.replaceTrack(this.source.createTrack());
      video.direction = way;
    }
    return this.described(await this.pc.createAnswer());
  }

  get ready() {
    return this.pc.connectionState === "connected";
  }

  send({ width, height, data }) {
    this.source.onFrame({ width, height, data });
  }
}

const Peer = { werift: Werift, libdatachannel: LibDataChannel, obs: Obs, libwebrtc: LibWebRtc }[library];
let packets = 0;
setInterval(() => console.log("packets", packets), 500);

async function post(peer, url, way) {
  const headers = { "Content-Type": "application/sdp" };
  const response = await fetch(url, { method: "POST", headers, body: await peer.offer(way) });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`${url}: ${response.status} ${text}`);
  await peer.accept(text);
}

async function relay(whep, whip) {
  const [from, to] = [new Peer(), new Peer()];
  await post(to, whip, "sendonly");
  // The player's first frame is a key frame: it must not be lost.
  while (!to.ready) await new Promise((done) => setTimeout(done, 100));
  await new Promise((done) => setTimeout(done, 300));
  from.onRtp = (rtp) => {
    packets += 1;
    to.send(rtp);
  };
  await post(from, whep, "recvonly");
}

function serve(port) {
  const viewers = [];
  const server = http.createServer(async (request, response) => {
    if (request.method !== "POST") return response.writeHead(200).end();
    let sdp = "";
    for await (const part of request) sdp += part;
    const peer = new Peer();
    const sends = request.url === "/whep";
    if (sends) viewers.push(peer);
    else peer.onRtp = (rtp) => {
      packets += 1;
      for (const viewer of viewers) viewer.send(Buffer.isBuffer(rtp) ? Buffer.from(rtp) : rtp);
    };
    const answer = await peer.answer(sdp, sends ? "sendonly" : "recvonly");
    const headers = { "Content-Type": "application/sdp", Location: `${request.url}/1` };
    response.writeHead(201, headers).end(answer);
  });
  server.listen(Number(port), "127.0.0.1", () => console.log("serving"));
}

await (mode === "relay" ? relay(...rest) : serve(...rest));
