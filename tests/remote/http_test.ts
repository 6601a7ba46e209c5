// The remote tier by HTTP: on a server of this process, on nginx with WebDAV and on an S3 server.

import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { httpRemote } from "@wasm/module-cache/remote/http";
import { AwsClient } from "aws4fetch";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { remoteContract } from "../contract/remote.ts";
import { type Answer, type Asked, GZIP, withServer } from "../_server.ts";
import { missing, s3Key, type Server, startNginx, startS3, storing } from "./_servers.ts";

const KEY = "ab".repeat(32);
const options = { signal: AbortSignal.timeout(60_000) };

remoteContract(
  "a remote by HTTP",
  (body) => withServer(storing(new Map()), async ({ url }) => await body(httpRemote(`${url}/wasm/`))),
);

let nginx: Promise<Server> | undefined;
remoteContract("nginx with WebDAV", async (body) => {
  nginx ??= startNginx();
  await body(httpRemote(`${(await nginx).url}/some/place`));
}, missing.nginx);

let s3: Promise<[Server, AwsClient]> | undefined;
remoteContract("an S3 server", async (body) => {
  s3 ??= (async () => {
    const server = await startS3();
    const client = new AwsClient({ ...await s3Key(server.url), service: "s3", region: "us-east-1" });
    assertStrictEquals((await client.fetch(`${server.url}/bucket`, { method: "PUT" })).status, 200);
    return [server, client];
  })();
  const [{ url }, client] = await s3;
  await body(httpRemote(`${url}/bucket/wasm`, { sign: (request) => client.sign(request) }));
}, missing.s3);

test("an S3 server refuses what is signed with another key", { skip: missing.s3, timeout: 60_000 }, async () => {
  const [{ url }, { accessKeyId }] = await s3!;
  const client = new AwsClient({ accessKeyId, secretAccessKey: "wrong", service: "s3", region: "us-east-1" });
  const tier = httpRemote(`${url}/bucket`, { sign: (request) => client.sign(request) });
  assertMatch(String(await assertRejects(() => tier.get(KEY, options))), /answered 403/);
});

after(async () => {
  await (await nginx)?.stop();
  await (await s3)?.[0].stop();
});

/** What a tier asks of a server that gives one answer to all. */
async function asks(answer: Answer, url: (base: string) => string | URL, use: Use): Promise<Asked[]> {
  return await withServer(() => answer, async (server) => {
    const given = use(url(server.url));
    await given;
    return server.asked;
  });
}

type Use = (url: string | URL) => Promise<unknown>;

test("a remote by HTTP sends its headers, and the user and query of its URL, where they belong", async () => {
  const body = Uint8Array.of(1, 2, 3);
  const get: Use = (url) => httpRemote(url, { headers: { "x-own": "1" } }).get(KEY, options);
  const [asked] = await asks({ body }, (base) => base.replace("//", "//me:p%40ss@") + "/a/b/?token=x", get);
  assertEquals([asked?.method, asked?.path], ["GET", `/a/b/${KEY}?token=x`]);
  assertStrictEquals(asked?.headers.authorization, `Basic ${btoa("me:p@ss")}`);
  assertStrictEquals(asked?.headers["x-own"], "1");
  const put: Use = (url) => httpRemote(url, { headers: { authorization: "Bearer y" } }).put(KEY, body, options);
  const [sent] = await asks({ status: 201 }, (base) => new URL(base.replace("//", "//me@")), put);
  assertEquals([sent?.method, sent?.path, sent?.body], ["PUT", `/${KEY}`, body]);
  assertStrictEquals(sent?.headers.authorization, "Bearer y");
  assertStrictEquals(sent?.headers["content-type"], "application/octet-stream");
});

test("a remote by HTTP sends what is signed", async () => {
  const sign = (request: Request) => new Request(request, { headers: { "x-signed": request.method } });
  const [asked] = await asks({ status: 404 }, String, (url) => httpRemote(url, { sign }).has(KEY, options));
  assertStrictEquals(asked?.headers["x-signed"], "HEAD");
});

test("a remote by HTTP tells absent from failed by the status", async () => {
  const call = (status: number, act: "get" | "put" | "has" | "delete") =>
    withServer(() => ({ status }), async ({ url }) => {
      const tier = httpRemote(url);
      return act === "put" ? await tier.put(KEY, Uint8Array.of(1), options) : await tier[act](KEY, options);
    });
  for (const status of [404, 410]) {
    assertStrictEquals(await call(status, "get"), undefined);
    assertStrictEquals(await call(status, "has"), false);
    assertStrictEquals(await call(status, "delete"), undefined);
    assertMatch(String(await assertRejects(() => call(status, "put"))), /no such place/);
  }
  for (const status of [200, 201, 204]) {
    assertStrictEquals(await call(status, "has"), true);
    await call(status, "put");
    await call(status, "delete");
  }
  for (const status of [204, 206, 304, 401, 403, 429, 500, 503, 507]) {
    assertMatch(String(await assertRejects(() => call(status, "get"))), new RegExp(`answered ${status}`));
  }
  for (const act of ["has", "put", "delete"] as const) await assertRejects(() => call(500, act));
});

test("messages of a remote by HTTP contain no secret of its URL, and say what happened", async () => {
  const gone = await withServer(() => ({}), ({ url }) => Promise.resolve(url.replace("//", "//me:password@")));
  // fetch itself refuses port 9.
  const [blocked, unknown] = [
    "http://me:password@127.0.0.1:9/?password",
    "http://me:password@nowhere.invalid/?password",
  ];
  for (const base of [blocked, unknown]) await messageOf(() => httpRemote(base).get(KEY, options));
  const refused = await messageOf(() => httpRemote(`${gone}/a?token=password`).get(KEY, options));
  assertMatch(refused, /no answer: .*(refused|unable to connect)/i);
  for (const status of [404, 500]) {
    await withServer(() => ({ status }), async ({ url }) => {
      const tier = httpRemote(`${url.replace("//", "//me:password@")}/?password`);
      const message = await messageOf(() => tier.put(KEY, Uint8Array.of(1), options));
      assertMatch(message, /PUT http:.*(no such place|answered 500)/);
    });
  }
  await messageOf(() => Promise.reject(assertThrows(() => httpRemote("me:password"))));
  const sign = ({ url }: Request) => Promise.reject(new Error(`cannot sign ${url}`));
  const unsigned = await messageOf(() => httpRemote("http://127.0.0.1/?password", { sign }).get(KEY, options));
  assertMatch(unsigned, /cannot sign http:/);
  const headers = { authorization: "Bearer password\nX" };
  await messageOf(() => Promise.reject(assertThrows(() => httpRemote("http://127.0.0.1", { headers }))));
});

/** The message of a call that fails, which must contain no password. */
async function messageOf(call: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(call);
  for (let part: unknown = error; part; part = (part as Error).cause) {
    assertStrictEquals(String(part).includes("password"), false, String(part));
  }
  return String(error);
}

test("a body that breaks off shows no secret either", async () => {
  const broken = { body: new Uint8Array(100), breaksAt: 10 };
  await withServer(() => broken, async ({ url }) => {
    await messageOf(async () => {
      const entry = await httpRemote(`${url}/?password`).get(KEY, options);
      // Bun gives what there was.
      throw new Error(`${entry?.length} bytes`);
    });
  });
});

test("a PUT that a redirect makes a GET of has stored nothing", async () => {
  const answer = ({ path }: Asked) => path === "/login" ? {} : { status: 303, headers: { location: "/login" } };
  await withServer(answer, async ({ url }) => {
    await assertRejects(() => httpRemote(url).put(KEY, Uint8Array.of(1), options));
  });
});

test("a remote by HTTP reads no more than it may", async () => {
  const plain = new Uint8Array(1000);
  // Few bytes may decompress to any length.
  const packed = { body: new Uint8Array(gzipSync(plain)), headers: GZIP };
  for (const answer of [{ body: plain }, packed]) {
    await withServer(() => answer, async ({ url }) => {
      const tier = httpRemote(url);
      assertStrictEquals((await tier.get(KEY, { ...options, maxBytes: 1000 }))?.length, 1000);
      await assertRejects(() => tier.get(KEY, { ...options, maxBytes: 999 }));
    });
  }
});

test("a remote by HTTP stops when its signal is aborted", async () => {
  for (const act of ["get", "put", "has", "delete"] as const) {
    await withServer(() => ({ delayMs: 20_000 }), async ({ url, asked }) => {
      const abort = new AbortController();
      const tier = httpRemote(url);
      const call = async () => {
        if (act === "put") await tier.put(KEY, Uint8Array.of(1), abort);
        else await tier[act](KEY, abort);
      };
      const rejected = assertRejects(call);
      while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      abort.abort(new Error("enough"));
      assertStrictEquals((await rejected).message, "enough", act);
    });
  }
});

test("what cannot be a remote by HTTP is refused at once", () => {
  for (const url of ["", "cache", "file:///cache", "redis://127.0.0.1"]) {
    assert(assertThrows(() => httpRemote(url)) instanceof TypeError);
  }
  assert(assertThrows(() => httpRemote("http://127.0.0.1", { sign: 1 as never })) instanceof TypeError);
});
