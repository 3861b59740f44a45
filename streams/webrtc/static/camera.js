/** The person's camera and microphone, and what can be wrong with them, in words. */

import { Problem } from "./api.js";

const WANTED = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 } };

/** @param {MediaStreamTrack} track a camera's @param {number} rate frames a second, at most */
export function askForRate(track, rate) {
  return track.applyConstraints({ ...WANTED, frameRate: { ideal: rate, max: rate } });
}

const CAMERA_WORDS = {
  NotAllowedError: ["The browser may not use the camera.", "Allow it at the left end of the address bar, then start again."],
  NotFoundError: ["There is no camera.", "Connect one, then start again."],
  OverconstrainedError: ["That camera is gone.", "Choose another one, then start again."],
  NotReadableError: ["Another program holds the camera.", "Close it, then start again."],
};

/**
 * @param {string} [id] a camera's deviceId
 * @param {boolean} [remembered] from an earlier visit: another camera will do
 * @returns {Promise<MediaStreamTrack>}
 */
export async function openCamera(id, remembered = false) {
  if (!navigator.mediaDevices?.getUserMedia) {
    const how = "Open it by https:// (mien --cert, --key), or on this machine as http://127.0.0.1.";
    throw new Problem("Browsers give no camera to a page over plain HTTP.", how, { final: true });
  }
  const video = id ? { ...WANTED, deviceId: { exact: id } } : { ...WANTED, facingMode: "user" };
  try {
    const [track] = (await navigator.mediaDevices.getUserMedia({ video })).getVideoTracks();
    return track;
  } catch (error) {
    if (id && error.name === "OverconstrainedError" && remembered) return openCamera();
    const [title, how] = CAMERA_WORDS[error.name] ?? ["The camera does not open.", error.message];
    throw new Problem(title, how, { final: true });
  }
}

/** @returns {Promise<MediaStreamTrack>} */
export async function openMicrophone() {
  try {
    const audio = { echoCancellation: true, noiseSuppression: true };
    return (await navigator.mediaDevices.getUserMedia({ audio })).getAudioTracks()[0];
  } catch (error) {
    const denied = error.name === "NotAllowedError";
    throw new Problem(denied ? "The browser may not use the microphone." : "There is no microphone.", "", { final: true });
  }
}

/** Fill the choice of cameras; names are known once one was allowed. */
export async function listCameras(select, current) {
  const devices = await (navigator.mediaDevices?.enumerateDevices?.() ?? []);
  const cameras = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
  if (!cameras.length) return;
  select.replaceChildren(
    ...cameras.map(({ deviceId, label }, index) => {
      const name = label.replace(/ \([0-9a-f]{4}:[0-9a-f]{4}\)$/, "") || `Camera ${index + 1}`;
      return new Option(name, deviceId, false, deviceId === current);
    }),
  );
  select.disabled = false;
}
