// Writes values in the bytes of JavaScript's libraries; with a file of ours, reads it.
const cbor = require('cbor-x'), packr = require('msgpackr'), mp = require('@msgpack/msgpack');
const { readFileSync } = require('fs');

const values = {
  int: 42, 'int above 2^32': 4294967297, 'now': 1700000000005, 'integral float': 7.0, 'half': 1.5, 'minus zero': -0, '2^53': 9007199254740992, 'large': 1e21, 'negative': -5000000000,
  'NaN': NaN, 'infinity': Infinity, 'null': null, 'undefined': undefined, 'true': true, 'text': 'ü😀\n"', 'surrogate': 'a\ud800b', 'empty text': '',
  'bigint': 2n ** 60n, 'bigint of 64 bits': 2n ** 64n - 1n, 'bigint of 70 bits': 2n ** 70n, 'date': new Date(1700000000005), 'Uint8Array': new Uint8Array([1, 2, 255]), 'Buffer': Buffer.from([1, 2, 255]),
  'list': [1, 'x', null, [2.5]], 'object': { a: { b: [1, { c: 'x' }] }, d: undefined }, 'map': new Map([['a', new Map([['b', 1]])]]), 'map of numbers': new Map([[1, 'x']]), 'set': new Set([1, 2]),
};
const hex = (b) => Buffer.from(b).toString('hex');
const text = (v) => { const s = JSON.stringify(v); if (s === undefined) throw new Error('no JSON'); return Buffer.from(s).toString('hex'); };
const encoders = [['cbor-x', 'cbor', (v) => hex(cbor.encode(v))], ['msgpackr', 'msgpack', (v) => hex(packr.pack(v))], ['@msgpack/msgpack', 'msgpack', (v) => hex(mp.encode(v, { useBigInt64: false }))], ['JSON.stringify', 'json', text]];
const decoders = { cbor: [cbor.decode], msgpack: [packr.unpack, mp.decode], json: [(b) => JSON.parse(b.toString())] };

// What JavaScript must make of what Go sends.
const same = (a, b) => {
  if (a instanceof Uint8Array) return Buffer.from(a).toString('hex') === b.$bytes;
  if (typeof a === 'bigint') return String(a) === String(b.$big ?? b);
  if (b !== null && typeof b === 'object' && b.$float) return Object.is(a, Number(b.$float)) || (Number.isNaN(a) && b.$float === 'NaN');
  if (b !== null && typeof b === 'object' && b.$bytes && typeof a === 'string') return a === '\u0000' + Buffer.from(b.$bytes, 'hex').toString('base64');
  if (Array.isArray(b)) return Array.isArray(a) && a.length === b.length && b.every((x, i) => same(a[i], x));
  if (b !== null && typeof b === 'object' && !b.$big) return Object.keys(a).length === Object.keys(b).length && Object.keys(b).every((k) => same(a[k], b[k]));
  return a === (b !== null && b.$big ? b.$big : b);
};

if (process.argv[2]) {
  for (const row of JSON.parse(readFileSync(process.argv[2])))
    for (const decode of decoders[row.codec]) {
      const got = decode(Buffer.from(row.hex, 'hex'));
      if (!same(got, row.want)) { console.error(row, got); process.exit(1); }
    }
} else {
  const out = [];
  for (const [by, codec, encode] of encoders)
    for (const [name, v] of Object.entries(values)) {
      let h; try { h = encode(v); } catch { continue; } // it has no form for it
      out.push({ by, codec, name, hex: h });
    }
  console.log(JSON.stringify(out));
}
