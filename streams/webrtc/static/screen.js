/** The screen: full of the avatar, and awake while it is live. */

let awake = null;
let wanted = false;

/** An iPhone shows a video alone, and nothing else, on its full screen. */
export function fill(frame, video) {
  if (frame.requestFullscreen) frame.requestFullscreen().catch(() => {});
  else video.webkitEnterFullscreen?.();
}

/** A phone that is looked at, but not touched, must not go to sleep. */
export async function keepAwake(on) {
  wanted = on;
  awake?.release();
  awake = null;
  if (!on) return;
  const lock = await navigator.wakeLock?.request("screen").catch(() => null);
  if (wanted && !awake) awake = lock;
  else lock?.release();
}
