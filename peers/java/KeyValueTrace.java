/** workloads/kv_trace.cc, for the mixes without scans: all operations, decided beforehand. */
final class KeyValueTrace {
  static final int SHARDS = 64;
  static final byte READ = 0;
  static final byte UPDATE = 1;
  static final byte INSERT = 2;
  static final byte READ_MODIFY_WRITE = 4;
  static final byte DROP = 5;

  private static final double ZIPF_EXPONENT = 0.99;

  /** In a hundred operations: reads, updates, inserts; what is left are read-modify-writes. */
  private enum Mix {
    A("a", 50, 50, 0, false),
    B("b", 95, 5, 0, false),
    C("c", 100, 0, 0, false),
    D("d", 95, 0, 5, true),
    F("f", 50, 0, 0, false),
    UPDATE_INSERT("update-insert", 0, 50, 50, false),
    READ_INSERT("read-insert", 50, 0, 50, false),
    INSERT_UPDATE_READ("insert-update-read", 25, 25, 50, false);

    final String label;
    final int reads;
    final int updates;
    final int inserts;
    final boolean latest;

    Mix(String label, int reads, int updates, int inserts, boolean latest) {
      this.label = label;
      this.reads = reads;
      this.updates = updates;
      this.inserts = inserts;
      this.latest = latest;
    }

    byte draw(Numbers random) {
      long draw = random.below(100);
      if (draw < reads) return READ;
      if (draw < reads + updates) return UPDATE;
      return draw < reads + updates + inserts ? INSERT : READ_MODIFY_WRITE;
    }
  }

  static String[] mixes() {
    String[] labels = new String[Mix.values().length];
    for (Mix mix : Mix.values()) labels[mix.ordinal()] = mix.label;
    return labels;
  }

  final long[] keys;
  final byte[] actions;
  int length;
  long drops;

  private final int records;
  private final boolean latest;
  private final double[] cumulative;  // null: uniform
  private int[] places;               // null: a rank is its place

  KeyValueTrace(String label, String distribution, int records, int operations, long seed) {
    this.records = records;
    Mix mix = Mix.A;
    for (Mix each : Mix.values()) {
      if (each.label.equals(label)) mix = each;
    }
    latest = mix.latest;
    Numbers random = new Numbers(seed);
    cumulative = distribution.equals("zipf") ? zipf(records) : null;
    if (cumulative != null && !latest) scatter(random);
    keys = new long[mix.inserts == 0 ? operations : 2 * operations];
    actions = new byte[keys.length];
    long oldest = 0;
    for (int i = 0; i < operations; ++i) {
      byte action = mix.draw(random);
      if (action == INSERT) {
        add(oldest + records, INSERT);
        add(oldest, DROP);
        ++oldest;
      } else {
        add(draw(oldest, random), action);
      }
    }
    drops = oldest;
    places = null;
  }

  private static double[] zipf(int count) {
    double[] cumulative = new double[count];
    double sum = 0;
    for (int rank = 0; rank < count; ++rank) {
      sum += Math.pow(rank + 1, -ZIPF_EXPONENT);
      cumulative[rank] = sum;
    }
    return cumulative;
  }

  private void scatter(Numbers random) {
    places = new int[records];
    for (int i = 0; i < records; ++i) places[i] = i;
    for (int i = records; i > 1; --i) {
      int other = (int) random.below(i);
      int kept = places[i - 1];
      places[i - 1] = places[other];
      places[other] = kept;
    }
  }

  private void add(long key, byte action) {
    keys[length] = key;
    actions[length++] = action;
  }

  private long draw(long oldest, Numbers random) {
    long rank = cumulative == null ? random.below(records) : drawRank(random);
    if (latest) return oldest + records - 1 - rank;
    long place = places == null ? rank : places[(int) rank];
    return oldest + (place + records - oldest % records) % records;
  }

  /** The first rank whose cumulative weight is above the draw. */
  private int drawRank(Numbers random) {
    double wanted = random.unit() * cumulative[records - 1];
    int low = 0;
    int high = records;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (cumulative[middle] > wanted) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return Math.min(low, records - 1);
  }
}
