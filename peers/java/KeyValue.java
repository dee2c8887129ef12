import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** workloads/kv.cc, for the mixes without scans: a hash table of small records, in shards. */
final class KeyValue implements Workload {
  private static final int SHARDS = KeyValueTrace.SHARDS;
  private static final int FIELDS = 4;
  private static final int LIST_ITEM_BYTES = 32;

  private static final class ListItem {
    final byte[] bytes;
    ListItem next;

    ListItem(byte[] bytes) {
      this.bytes = bytes;
    }
  }

  private static final class Value {
    final byte[][] fields = new byte[FIELDS][];
    ListItem list;
    final long length;

    Value(long length, long stamp) {
      this.length = length;
      Numbers random = new Numbers(stamp + 1);
      int part = (int) (length / FIELDS / 8 * 8);
      int left = (int) length;
      for (int i = 0; i < FIELDS; ++i) {
        boolean last = i + 1 == FIELDS;
        int size = last ? left : part;
        if (size == 0) continue;
        if (last && (Numbers.mix(stamp) & 3) == 0) {
          list = makeList(size, random);
        } else {
          fields[i] = randomBytes(size, random);
          left -= size;
        }
      }
    }

    private static ListItem makeList(int bytes, Numbers random) {
      ListItem first = null;
      ListItem last = null;
      while (bytes > 0) {
        int part = Math.min(bytes, LIST_ITEM_BYTES);
        ListItem item = new ListItem(randomBytes(part, random));
        if (last == null) {
          first = item;
        } else {
          last.next = item;
        }
        last = item;
        bytes -= part;
      }
      return first;
    }

    private static byte[] randomBytes(int count, Numbers random) {
      byte[] bytes = new byte[count];
      int at = 0;
      for (; at + 8 <= count; at += 8) Numbers.setWord(bytes, at, random.next());
      if (at < count) {
        for (long word = random.next(); at < count; ++at, word >>>= 8) bytes[at] = (byte) word;
      }
      return bytes;
    }

    long hash() {
      Numbers.ByteHasher hasher = new Numbers.ByteHasher(length);
      for (byte[] field : fields) {
        if (field != null) hasher.add(field);
      }
      for (ListItem item = list; item != null; item = item.next) hasher.add(item.bytes);
      return hasher.get();
    }
  }

  private static final class Entry {
    final String key;
    final int hash;
    Value value;
    Entry next;

    Entry(String key, int hash, Value value, Entry next) {
      this.key = key;
      this.hash = hash;
      this.value = value;
      this.next = next;
    }
  }

  /** `user` and 16 digits, scattered over all numbers. */
  private static final class Key {
    final String text;
    final int shard;
    final int hash;

    Key(long id) {
      long number = Numbers.mix(id);
      byte[] chars = new byte[20];
      chars[0] = 'u';
      chars[1] = 's';
      chars[2] = 'e';
      chars[3] = 'r';
      for (int i = 0; i < 16; ++i) {
        chars[4 + i] = (byte) "0123456789abcdef".charAt((int) (number >>> (60 - 4 * i)) & 15);
      }
      text = new String(chars, java.nio.charset.StandardCharsets.ISO_8859_1);
      shard = (int) (number & (SHARDS - 1));
      long fnv = 0xcbf29ce484222325L;
      for (byte c : chars) fnv = (fnv ^ (c | 0x20)) * 0x100000001b3L;
      hash = (int) Numbers.mix(fnv);
    }
  }

  private static final class Shard {
    final Entry[] buckets;

    Shard(int records) {
      int wanted = Math.max(records, 8);
      buckets = new Entry[Integer.highestOneBit(wanted - 1) << 1];
    }

    int bucketOf(Key key) {
      return (int) Numbers.mix(key.hash & 0xffffffffL) & (buckets.length - 1);
    }

    Entry find(Key key) {
      Entry entry = buckets[bucketOf(key)];
      while (entry != null && !(entry.hash == key.hash && entry.key.equals(key.text))) {
        entry = entry.next;
      }
      return entry;
    }

    void insert(Key key, Value value) {
      int bucket = bucketOf(key);
      buckets[bucket] = new Entry(key.text, key.hash, value, buckets[bucket]);
    }

    boolean remove(Key key) {
      Entry found = find(key);
      if (found == null) return false;
      int bucket = bucketOf(key);
      if (buckets[bucket] == found) {
        buckets[bucket] = found.next;
        return true;
      }
      Entry before = buckets[bucket];
      while (before.next != found) before = before.next;
      before.next = found.next;
      return true;
    }
  }

  private int records;
  private long valueMin;
  private long valueMax;
  private KeyValueTrace trace;

  @Override
  public Map<String, String> defaults(String scale) {
    String count = scale.equals("tiny") ? "8192" : scale.equals("small") ? "65536" : "262144";
    return Map.of("mix", "a", "distribution", "zipf", "records", count, "operations", "0",
        "value-min", "64", "value-max", "448", "threads", "1", "seed", "1");
  }

  @Override
  public void prepare(Options options) {
    options.only("mix", KeyValueTrace.mixes());
    options.only("distribution", "zipf", "uniform");
    records = (int) options.count("records", 1, 1 << 26);
    valueMin = options.count("value-min", 1, 1 << 20);
    valueMax = options.count("value-max", valueMin, 1 << 20);
    int operations = (int) options.count("operations", 0, 1 << 28);
    trace = new KeyValueTrace(options.text("mix"), options.text("distribution"), records,
        operations == 0 ? 8 * records : operations, options.count("seed", 0, Long.MAX_VALUE));
  }

  private Value makeValue(long stamp) {
    long length = valueMin + new Numbers(stamp).below(valueMax - valueMin + 1);
    return new Value(length, stamp);
  }

  @Override
  public String execute(Session session) throws Exception {
    int threads = session.options.threads();
    if (threads > SHARDS) throw new UsageError("--threads: valid are 1 to " + SHARDS);
    Shard[] shards = session.phase("build", () -> {
      Shard[] all = new Shard[SHARDS];
      for (int i = 0; i < SHARDS; ++i) all[i] = new Shard(records / SHARDS);
      for (long id = 0; id < records; ++id) {
        Key key = new Key(id);
        all[key.shard].insert(key, makeValue(~id));
      }
      return all;
    });
    AtomicLong sum = new AtomicLong();
    session.phase("measured", () -> {
      Tasks.run(threads, threads, task -> sum.addAndGet(perform(shards, task, threads)));
      return null;
    });
    return session.phase("check",
        () -> Numbers.hex(Numbers.mix(sum.get() ^ hashContent(shards))));
  }

  /** Those operations that are on the shards of one thread. Returns the sum of what was read. */
  private long perform(Shard[] shards, int task, int threads) {
    long sum = 0;
    for (int i = 0; i < trace.length; ++i) {
      if ((int) (Numbers.mix(trace.keys[i]) & (SHARDS - 1)) % threads != task) continue;
      Key key = new Key(trace.keys[i]);
      Shard shard = shards[key.shard];
      long place = i + 1;
      switch (trace.actions[i]) {
        case KeyValueTrace.READ -> sum += Numbers.mix(hashOf(shard.find(key)) ^ Numbers.mix(place));
        case KeyValueTrace.UPDATE -> sum += replace(shard.find(key), place);
        case KeyValueTrace.INSERT -> shard.insert(key, makeValue(place));
        case KeyValueTrace.READ_MODIFY_WRITE -> {
          Entry entry = shard.find(key);
          long hash = hashOf(entry);
          sum += Numbers.mix(hash ^ Numbers.mix(place)) + replace(entry, hash + place);
        }
        default -> sum += shard.remove(key) ? 0 : Numbers.mix(place);
      }
    }
    return sum;
  }

  private static long hashOf(Entry entry) {
    return entry == null ? 0 : entry.value.hash();
  }

  /** What a key that is missing, which none ever should be, adds to the sum. */
  private long replace(Entry entry, long stamp) {
    Value value = makeValue(stamp);
    if (entry == null) return Numbers.mix(stamp);
    entry.value = value;
    return 0;
  }

  private long hashContent(Shard[] shards) {
    long hash = 0;
    for (long i = 1; i <= records; ++i) {
      Key key = new Key(trace.drops + i - 1);
      Entry entry = shards[key.shard].find(key);
      hash = Numbers.mix(hash ^ (entry == null ? i : entry.value.hash()));
    }
    return hash;
  }
}
