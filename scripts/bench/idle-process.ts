/** A process that does nothing: prints its resident memory in bytes and waits to be ended. */
console.log(process.memoryUsage.rss());
process.stdin.resume();
