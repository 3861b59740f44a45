// Peer on Pion, the WebRTC stack of MediaMTX, LiveKit and Galene: it passes on what it gets.
//
//	pion-peer relay WHEP_URL WHIP_URL   plays from one server, publishes to the other
//	pion-peer serve PORT                WHIP at /whip, the same video as WHEP at /whep
//
// Prints how many packets came.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
)

var packets atomic.Int64

var vp8 = webrtc.RTPCodecCapability{
	MimeType:  webrtc.MimeTypeVP8,
	ClockRate: 90000,
	RTCPFeedback: []webrtc.RTCPFeedback{
		{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "goog-remb"},
	},
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func check(err error) {
	must(0, err)
}

// connection is one that knows VP8 alone, with Pion's usual reports and retransmission.
func connection() *webrtc.PeerConnection {
	media, interceptors := &webrtc.MediaEngine{}, &interceptor.Registry{}
	codec := webrtc.RTPCodecParameters{RTPCodecCapability: vp8, PayloadType: 96}
	check(media.RegisterCodec(codec, webrtc.RTPCodecTypeVideo))
	check(webrtc.RegisterDefaultInterceptors(media, interceptors))
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors))
	pc := must(api.NewPeerConnection(webrtc.Configuration{}))
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) { fmt.Println("connection", state) })
	return pc
}

func newTrack() *webrtc.TrackLocalStaticRTP {
	return must(webrtc.NewTrackLocalStaticRTP(vp8, "video", "pion"))
}

// described is the local description with all candidates.
func described(pc *webrtc.PeerConnection, description webrtc.SessionDescription) string {
	gathered := webrtc.GatheringCompletePromise(pc)
	check(pc.SetLocalDescription(description))
	<-gathered
	return pc.LocalDescription().SDP
}

// send publishes, or asks to play: an offer by POST.
func send(pc *webrtc.PeerConnection, url string) {
	offer := described(pc, must(pc.CreateOffer(nil)))
	response := must(http.Post(url, "application/sdp", strings.NewReader(offer)))
	answer := string(must(io.ReadAll(response.Body)))
	if response.StatusCode != http.StatusCreated {
		log.Fatal(url, ": ", response.Status, " ", answer)
	}
	check(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

// passOn hands every packet that comes to use.
func passOn(pc *webrtc.PeerConnection, use func(*rtp.Packet)) {
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			packets.Add(1)
			use(packet)
		}
	})
}

func relay(whep, whip string) {
	track, to := newTrack(), connection()
	must(to.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}))
	send(to, whip)
	// The player's first frame is a key frame: it must not be lost.
	for to.ConnectionState() != webrtc.PeerConnectionStateConnected {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	from := connection()
	passOn(from, func(packet *rtp.Packet) { _ = track.WriteRTP(packet) })
	receives := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	must(from.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, receives))
	send(from, whep)
}

func serve(port string) {
	track := newTrack()
	answer := func(writer http.ResponseWriter, request *http.Request, prepare func(*webrtc.PeerConnection)) {
		if request.Method != http.MethodPost {
			return
		}
		pc := connection()
		prepare(pc)
		offer := string(must(io.ReadAll(request.Body)))
		check(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
		sdp := described(pc, must(pc.CreateAnswer(nil)))
		writer.Header().Set("Content-Type", "application/sdp")
		writer.Header().Set("Location", request.URL.Path+"/1")
		writer.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(writer, sdp)
	}
	http.HandleFunc("/whip", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(pc *webrtc.PeerConnection) {
			passOn(pc, func(packet *rtp.Packet) { _ = track.WriteRTP(packet) })
		})
	})
	http.HandleFunc("/whep", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(pc *webrtc.PeerConnection) { must(pc.AddTrack(track)) })
	})
	http.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	fmt.Println("serving")
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, nil))
}

func main() {
	go func() {
		for range time.Tick(500 * time.Millisecond) {
			fmt.Println("packets", packets.Load())
		}
	}()
	if os.Args[1] == "relay" {
		relay(os.Args[2], os.Args[3])
		select {}
	}
	serve(os.Args[2])
}
