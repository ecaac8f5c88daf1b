import { AppError } from '../util/errors';

/** What a pickle may refer to. Anything else is refused: that is the whole security of reading pickles. */
export interface PickleHost {
  /** file name, for messages */
  readonly name: string;
  /** 'module name' → a function that REDUCE may call, or a plain value */
  readonly globals: ReadonlyMap<string, unknown>;
  /** resolves BINPERSID */
  readonly persistent: (id: unknown) => unknown;
}

/** Marks the start of a variable-length group on the stack. */
const MARK = Symbol('mark');

/**
 * Decode a pickle with the opcodes that `torch.save` emits and nothing else. Dictionaries become Maps, lists and
 * tuples arrays. No code of the file ever runs: a REDUCE calls only what `host.globals` holds.
 *
 * @throws AppError BAD_FILE for any other opcode or global, and for damaged data
 * @see https://docs.python.org/3/library/pickletools.html; FORMATS.md 0.2
 */
export function unpickle(bytes: Uint8Array, host: PickleHost): unknown {
  const bad = (what: string) => new AppError('BAD_FILE', `${host.name} cannot be read: ${what}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  let at = 0;

  const take = (length: number): number => {
    const from = at;
    if (length > bytes.length - at) throw bad('its pickle is cut off');
    at += length;
    return from;
  };
  const text = (from: number, to: number): string => {
    try {
      return utf8.decode(bytes.subarray(from, to));
    } catch {
      throw bad('its pickle holds text that is not UTF-8');
    }
  };
  const string = (length: number): string => text(take(length), at);
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw bad('its pickle is cut off');
    return text(take(end + 1 - at), end);
  };
  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === MARK) throw bad('its pickle is damaged (stack)');
    return stack.pop();
  };
  const popMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) throw bad('its pickle is damaged (mark)');
    const items = stack.splice(mark);
    return items.slice(1);
  };
  const top = (): unknown => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const recall = (index: number): unknown => {
    if (!memo.has(index)) throw bad('its pickle is damaged (memo)');
    return memo.get(index);
  };
  const tuple = (length: number): unknown[] => Array.from({ length }, pop).reverse();
  const find = (module: unknown, name: unknown): unknown => {
    if (typeof module !== 'string' || typeof name !== 'string') throw bad('its pickle is damaged (global)');
    const key = `${module} ${name}`;
    if (!host.globals.has(key)) {
      throw bad(`it asks for ${module}.${name}; only tensors are read from PyTorch files, nothing is run`);
    }
    return host.globals.get(key);
  };
  const setItems = (items: readonly unknown[]): void => {
    const dict = top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw bad('its pickle is damaged (dict)');
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  };
  const append = (items: readonly unknown[]): void => {
    const list = top();
    if (!Array.isArray(list)) throw bad('its pickle is damaged (list)');
    for (const item of items) list.push(item);
  };
  /** two's complement, little-endian */
  const long = (length: number): number => {
    const from = take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[from + i]!);
    const number = Number(BigInt.asIntN(8 * length, value));
    if (!Number.isSafeInteger(number)) throw bad('its pickle holds a number beyond 2^53');
    return number;
  };

  const opcodes: Readonly<Record<number, () => void>> = {
    128: () => {
      const protocol = bytes[take(1)]!;
      if (protocol < 2 || protocol > 5) throw bad(`its pickle has protocol ${protocol}`);
    },
    // FRAME: a hint for buffered readers
    149: () => void take(8),
    // containers: } ] ) ( t \x85 \x86 \x87
    125: () => stack.push(new Map()),
    93: () => stack.push([]),
    41: () => stack.push([]),
    40: () => stack.push(MARK),
    116: () => stack.push(popMark()),
    133: () => stack.push(tuple(1)),
    134: () => stack.push(tuple(2)),
    135: () => stack.push(tuple(3)),
    // s u a e
    115: () => setItems(tuple(2)),
    117: () => setItems(popMark()),
    97: () => append(tuple(1)),
    101: () => append(popMark()),
    // memo: q r \x94 h j
    113: () => memo.set(bytes[take(1)]!, top()),
    114: () => memo.set(view.getUint32(take(4), true), top()),
    148: () => memo.set(memo.size, top()),
    104: () => stack.push(recall(bytes[take(1)]!)),
    106: () => stack.push(recall(view.getUint32(take(4), true))),
    // text and numbers: \x8c X J K M \x8a G
    140: () => stack.push(string(bytes[take(1)]!)),
    88: () => stack.push(string(view.getUint32(take(4), true))),
    74: () => stack.push(view.getInt32(take(4), true)),
    75: () => stack.push(bytes[take(1)]!),
    77: () => stack.push(view.getUint16(take(2), true)),
    // integers beyond 32 bits; 16 bytes are more than any size or offset needs
    138: () => stack.push(long(Math.min(bytes[take(1)]!, 16))),
    71: () => stack.push(view.getFloat64(take(8), false)),
    136: () => stack.push(true),
    137: () => stack.push(false),
    78: () => stack.push(null),
    // c \x93 Q R b
    99: () => {
      const module = line();
      stack.push(find(module, line()));
    },
    147: () => {
      const [module, name] = tuple(2);
      stack.push(find(module, name));
    },
    81: () => stack.push(host.persistent(pop())),
    82: () => {
      const [call, args] = tuple(2);
      if (typeof call !== 'function' || !Array.isArray(args) || args.length > 16) {
        throw bad('its pickle is damaged (reduce)');
      }
      stack.push(call(...args));
    },
    // attributes of an OrderedDict (a state dict's `_metadata`): nothing that a reader needs
    98: () => {
      pop();
      if (!(top() instanceof Map)) throw bad('its pickle sets attributes of an object');
    },
  };

  for (;;) {
    const opcode = bytes[take(1)]!;
    if (opcode === 46) return pop();
    const run = opcodes[opcode];
    if (!run) throw bad(`its pickle uses opcode 0x${opcode.toString(16)}, which torch.save does not emit`);
    run();
  }
}
