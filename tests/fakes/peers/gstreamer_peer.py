"""GStreamer's ``webrtcbin`` as a WHIP sender or WHEP player: ``gstreamer_peer.py whip|whep URL CODEC``.

For the system's Python, which has GStreamer's bindings.  Prints the connection's state and how many
frames came.
"""

import sys
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

Gst.init(None)
KIND, URL, CODEC = sys.argv[1:4]
ENCODE = {
    "vp8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=30 ! rtpvp8pay pt=96",
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! video/x-h264,profile=high "
    "! rtph264pay pt=96 config-interval=-1 aggregate-mode=zero-latency",
}
CAPS = "application/x-rtp,media=video,encoding-name={},payload=96,clock-rate=90000"
FMTP = ",packetization-mode=(string)1,profile-level-id=(string)42e01f"


def say(*words: object) -> None:
    print(*words, flush=True)


class Peer:
    def __init__(self) -> None:
        self.frames = 0
        if KIND == "whip":
            self.pipe = Gst.parse_launch(
                "webrtcbin name=peer bundle-policy=max-bundle videotestsrc is-live=true "
                "! video/x-raw,width=320,height=240,framerate=15/1 ! videoconvert ! video/x-raw,format=I420 "
                f"! {ENCODE[CODEC]} ! {CAPS.format(CODEC.upper())} ! peer."
            )
        else:
            self.pipe = Gst.Pipeline.new("whep")
            self.pipe.add(Gst.ElementFactory.make("webrtcbin", "peer"))
        self.peer = self.pipe.get_by_name("peer")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        if KIND == "whep":
            caps = CAPS.format(CODEC.upper()) + (FMTP if CODEC == "h264" else "")
            way = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.peer.emit("add-transceiver", way, Gst.Caps.from_string(caps))
            self.peer.connect("pad-added", self.pad)
            self.asked = False
            GLib.idle_add(self.negotiate, self.peer)
        else:
            self.peer.connect("on-negotiation-needed", self.negotiate)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        self.peer.connect("notify::connection-state", lambda *_: say("connection", self.state()))
        bus = self.pipe.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, message: say("error", *message.parse_error()))
        self.pipe.set_state(Gst.State.PLAYING)

    def state(self) -> str:
        return self.peer.get_property("connection-state").value_nick

    def negotiate(self, _):
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered, self.peer))
        return False

    def offered(self, promise, *_) -> None:
        reply = promise.get_reply()  # kept: what it holds ends with it
        self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def gathered(self, *_) -> None:
        if self.peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.post)

    def post(self) -> bool:
        sdp = self.peer.get_property("local-description").sdp.as_text()
        request = urllib.request.Request(URL, sdp.encode(), {"Content-Type": "application/sdp"})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            say("refused", error.code, error.read().decode())
            return False
        _, parsed = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(answer, parsed)
        found = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, parsed)
        self.peer.emit("set-remote-description", found, Gst.Promise.new())
        return False

    def pad(self, _, pad) -> None:
        sink = Gst.parse_bin_from_description(
            f"rtp{CODEC}depay ! {'vp8dec' if CODEC == 'vp8' else 'avdec_h264'} ! fakesink name=out "
            "signal-handoffs=true sync=false",
            True,
        )
        sink.get_by_name("out").connect("handoff", self.frame)
        self.pipe.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def frame(self, *_) -> None:
        self.frames += 1
        if self.frames % 10 == 0:
            say("frames", self.frames)


PEER = Peer()
GLib.MainLoop().run()
