import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** The random numbers and hashes of workloads/random.h, bit for bit. */
final class Numbers {
  private static final VarHandle WORDS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private long state;

  Numbers(long seed) {
    state = seed;
  }

  /** SplitMix64. */
  long next() {
    return mix(state += 0x9e3779b97f4a7c15L);
  }

  /** Below `limit`, which must be above 0. */
  long below(long limit) {
    long draw = next();
    // The high half of the product of unsigned numbers; `limit` has no sign.
    return Math.multiplyHigh(draw, limit) + ((draw >> 63) & limit);
  }

  /** Evenly in [0, 1). */
  double unit() {
    return (next() >>> 11) * 0x1p-53;
  }

  /** Evenly in [-1, 1). */
  double signedUnit() {
    return (next() >>> 11) * 0x1p-52 - 1;
  }

  static long mix(long x) {
    x = (x ^ (x >>> 30)) * 0xbf58476d1ce4e5b9L;
    x = (x ^ (x >>> 27)) * 0x94d049bb133111ebL;
    return x ^ (x >>> 31);
  }

  static long word(byte[] bytes, int at) {
    return (long) WORDS.get(bytes, at);
  }

  static void setWord(byte[] bytes, int at, long word) {
    WORDS.set(bytes, at, word);
  }

  /** The hash of bytes that lie in several parts, all but the last of them whole words of 8. */
  static final class ByteHasher {
    private long hash;
    private long rest;

    ByteHasher(long bytes) {
      hash = mix(bytes + 1);
    }

    void add(byte[] part) {
      int at = 0;
      for (; at + 8 <= part.length; at += 8) hash = mix(hash ^ word(part, at));
      for (int i = at; i < part.length; ++i) rest |= (part[i] & 0xffL) << (8 * (i - at));
    }

    long get() {
      return mix(hash ^ rest);
    }
  }

  static String hex(long value) {
    return String.format("%016x", value);
  }
}
