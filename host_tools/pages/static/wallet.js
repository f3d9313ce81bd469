// The wallet: a clock that ticks, and a new code with every minute.
"use strict";

const code = document.getElementById("code");
const clock = document.getElementById("clock");
const renewed = document.getElementById("renewed");
const renewMs = Number(code.dataset.renew) * 1000;
let issuedMs = Number(renewed.dataset.issued) * 1000;
let nextMs = Date.now() + renewMs - (Date.now() % renewMs);
let busy = false;

function tick() {
  const now = new Date();
  clock.textContent = now.toLocaleString("zh-CN", { hour12: false });
  if (issuedMs) {
    renewed.textContent = "签发于 issued " + new Date(issuedMs).toLocaleTimeString("zh-CN", { hour12: false });
  }
  if (now.getTime() >= nextMs && !busy) {
    renew();
  }
}

async function renew() {
  busy = true;
  try {
    const answer = await fetch(code.dataset.url, { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    const fresh = await answer.json();
    code.src = fresh.svg;
    issuedMs = fresh.issued_unix * 1000;
    code.classList.remove("old");
    nextMs = Date.now() + renewMs - (Date.now() % renewMs);
  } catch {
    // The old picture stays, greyed, and the next try comes soon.
    code.classList.add("old");
    nextMs = Date.now() + 5000;
  }
  busy = false;
}

tick();
setInterval(tick, 500);
