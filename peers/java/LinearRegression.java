import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * workloads/mapreduce/linear_regression.cc: a round makes a vector of partial sums for each sample
 * and adds them up, in the order of splits; all of them are garbage when the round is over.
 */
final class LinearRegression implements Workload {
  private static final double STEP = 1;

  private static final class Key {
    final long number;

    Key(long number) {
      this.number = number;
    }
  }

  private static final class Value {
    final double[] features;
    final double target;

    Value(double[] features, double target) {
      this.features = features;
      this.target = target;
    }
  }

  private static final class Sample {
    final Key key;
    final Value value;

    Sample(Key key, Value value) {
      this.key = key;
      this.value = value;
    }
  }

  @Override
  public Map<String, String> defaults(String scale) {
    String samples = scale.equals("tiny") ? "4000" : scale.equals("small") ? "100000" : "1000000";
    return Map.of("samples", samples, "dimensions", "8", "rounds", "10", "splits", "64",
        "partitions", "4", "threads", "2", "seed", "1");
  }

  private static Numbers randomOf(long seed, long number) {
    return new Numbers(Numbers.mix(seed) ^ Numbers.mix(number + 0x5851f42d4c957f2dL));
  }

  private static double trueWeight(long seed, long index) {
    return 4 * randomOf(seed, ~index).signedUnit();
  }

  private static Sample makeSample(long seed, long number, int dimensions) {
    Numbers random = randomOf(seed, number);
    double[] features = new double[dimensions];
    double target = trueWeight(seed, 0);
    for (int d = 0; d < dimensions; ++d) {
      features[d] = random.signedUnit();
      target += trueWeight(seed, d + 1) * features[d];
    }
    return new Sample(new Key(number), new Value(features, target + 0.1 * random.signedUnit()));
  }

  private static double[] measure(double[] model, Value sample) {
    int dimensions = sample.features.length;
    double[] sums = new double[dimensions + 2];
    double error = model[0] - sample.target;
    for (int d = 0; d < dimensions; ++d) error += model[d + 1] * sample.features[d];
    sums[0] = error;
    for (int d = 0; d < dimensions; ++d) sums[d + 1] = error * sample.features[d];
    sums[dimensions + 1] = 1;
    return sums;
  }

  private static double[] add(double[] a, double[] b) {
    double[] sums = a.clone();
    for (int i = 0; i < sums.length; ++i) sums[i] += b[i];
    return sums;
  }

  @Override
  public String execute(Session session) throws Exception {
    Options options = session.options;
    int count = (int) options.count("samples", 1, 1 << 28);
    int dimensions = (int) options.count("dimensions", 1, 4096);
    long rounds = options.count("rounds", 1, 1 << 20);
    long seed = options.count("seed", 0, Long.MAX_VALUE);
    int splits = (int) Math.min(options.count("splits", 1, 1 << 20), count);
    int threads = options.threads();
    Sample[] samples = session.phase("build", () -> {
      Sample[] all = new Sample[count];
      int atOnce = 1024;
      Tasks.run(threads, (count + atOnce - 1) / atOnce, task -> {
        int end = (int) Math.min(count, (task + 1L) * atOnce);
        for (int i = task * atOnce; i < end; ++i) all[i] = makeSample(seed, i, dimensions);
      });
      return all;
    });
    double[] model = session.phase("measured", () -> {
      double[] current = new double[dimensions + 1];
      for (long round = 0; round < rounds; ++round) {
        double[] sums = sumOf(samples, current, splits, threads);
        for (int i = 0; i < current.length; ++i) {
          current[i] -= STEP * sums[i] / sums[dimensions + 1];
        }
      }
      return current;
    });
    StringBuilder lines = new StringBuilder();
    for (double number : model) lines.append(general(number)).append('\n');
    byte[] bytes = lines.toString().getBytes(StandardCharsets.US_ASCII);
    Numbers.ByteHasher hasher = new Numbers.ByteHasher(bytes.length);
    hasher.add(bytes);
    return Numbers.hex(hasher.get());
  }

  private static double[] sumOf(Sample[] samples, double[] model, int splits, int threads)
      throws InterruptedException {
    double[][] ofSplits = new double[splits][];
    Tasks.run(threads, splits, split -> {
      double[] sums = null;
      int end = (int) ((split + 1L) * samples.length / splits);
      for (int i = (int) ((long) split * samples.length / splits); i < end; ++i) {
        double[] part = measure(model, samples[i].value);
        sums = sums == null ? part : add(sums, part);
      }
      ofSplits[split] = sums;
    });
    double[] all = null;
    for (double[] part : ofSplits) all = all == null ? part.clone() : add(all, part);
    return all;
  }

  /** As %.17g of C: 17 digits, without zeros at the end. */
  static String general(double number) {
    if (number == 0) return "0";
    BigDecimal rounded = new BigDecimal(number).round(new MathContext(17)).stripTrailingZeros();
    int exponent = rounded.precision() - rounded.scale() - 1;
    if (exponent >= -4 && exponent < 17) return rounded.toPlainString();
    String digits = rounded.unscaledValue().abs().toString();
    String text = (number < 0 ? "-" : "") + digits.charAt(0)
        + (digits.length() > 1 ? "." + digits.substring(1) : "");
    return String.format("%se%s%02d", text, exponent < 0 ? "-" : "+", Math.abs(exponent));
  }
}
