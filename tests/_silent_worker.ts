// A worker that never answers, and does not end.

setInterval(() => {}, 60_000);
