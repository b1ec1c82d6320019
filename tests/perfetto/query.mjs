// Loads a trace into Perfetto's trace processor, the engine of ui.perfetto.dev, and answers SQL queries about it.
//
//     node query.mjs ENGINE_FOLDER TRACE [SQL]...
//
// ENGINE_FOLDER has engine_bundle.node.js (the script that ui.perfetto.dev runs in a worker), trace_processor.wasm and engine.mjs (the
// page's end of the protocol between the two). Prints one JSON array with an item for each query: its rows, as objects by column.
// Integers beyond what JSON numbers hold exactly are strings. What the engine says goes to stderr. Exit code 1: the engine refused the
// trace or a query.
//
// Needs nothing newer than Node.js 18. Page and worker are one thread here, so each request is answered before the next is made.

import { open, readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { Console } from 'node:console';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// One message of the protocol may have 64 MiB.
const CHUNK_BYTES = 32 * 1024 * 1024;

const [engineFolder, trace, ...queries] = process.argv.slice(2);
if (trace === undefined) {
    console.error('usage: node query.mjs ENGINE_FOLDER TRACE [SQL]...');
    process.exit(2);
}
const folder = resolve(engineFolder);
// Whatever the engine prints, answers alone go to stdout.
const log = new Console(process.stderr, process.stderr);

// What the worker's script uses to get trace_processor.wasm.
class FileRequest {
    open(_method, name) {
        this.name = name;
    }

    send() {
        this.response = readFileSync(join(folder, this.name));
    }
}

// WebAssembly as it was before 64-bit memories. The script asks for them by compiling a module that has nothing else, and would then
// want trace_processor_memory64.wasm, which is not there.
class SmallMemoryModule extends WebAssembly.Module {
    constructor(bytes) {
        const [section, , , limits] = bytes.subarray(8, 12);
        if (section === 5 && (limits & 4) !== 0) {
            throw new WebAssembly.CompileError('no 64-bit memories here');
        }
        super(bytes);
    }
}

// Starts the worker's script with `port` as its end of the channel. Its module is compiled at once, and is ready when the promises
// made meanwhile have been kept.
async function startWorker(port) {
    const script = await readFile(join(folder, 'engine_bundle.node.js'), 'utf8');
    const self = { location: { href: 'file:///engine_bundle.js' } };
    const scope = {
        self,
        WorkerGlobalScope: Object,
        XMLHttpRequest: FileRequest,
        WebAssembly: Object.create(WebAssembly, { Module: { value: SmallMemoryModule } }),
        console: log,
    };
    new Function(...Object.keys(scope), script)(...Object.values(scope));
    self.onmessage({ data: port });
    await new Promise(setImmediate);
}

async function startEngine() {
    const { EngineBase } = await import(pathToFileURL(join(folder, 'engine.mjs')));
    class Engine extends EngineBase {
        id = 'file';
        mode = 'WASM';

        constructor(port) {
            super();
            this.port = port;
        }

        rpcSendRequestBytes(bytes) {
            this.port.onmessage({ data: bytes });
        }
    }
    const port = {};
    const engine = new Engine(port);
    port.postMessage = (bytes) => engine.onRpcResponseBytes(bytes);
    await startWorker(port);
    return engine;
}

async function load(engine, path) {
    const file = await open(path);
    try {
        for (;;) {
            const chunk = new Uint8Array(CHUNK_BYTES);
            const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
            if (bytesRead === 0) {
                break;
            }
            await engine.parse(chunk.subarray(0, bytesRead));
        }
    } finally {
        await file.close();
    }
    await engine.notifyEof();
}

function jsonValue(value) {
    if (typeof value === 'bigint') {
        const number = Number(value);
        return Number.isSafeInteger(number) ? number : value.toString();
    }
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

async function rows(engine, sql) {
    const result = await engine.query(sql);
    const columns = result.columns();
    const found = [];
    for (const row = result.iter({}); row.valid(); row.next()) {
        found.push(Object.fromEntries(columns.map((name) => [name, jsonValue(row.get(name))])));
    }
    return found;
}

try {
    const engine = await startEngine();
    await load(engine, trace);
    const answers = [];
    for (const sql of queries) {
        answers.push(await rows(engine, sql));
    }
    process.stdout.write(`${JSON.stringify(answers)}\n`);
} catch (error) {
    log.error(error instanceof Error ? `${error.name}: ${error.message}` : `${error}`);
    process.exitCode = 1;
}
