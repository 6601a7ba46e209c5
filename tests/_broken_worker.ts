// A worker that fails before it answers.

throw new RangeError("broken worker");
