import java.util.Map;
import java.util.TreeMap;

/** The options of a workload: those of its scale, and what was given instead. */
final class Options {
  private final Map<String, String> values;

  Options(Map<String, String> defaults, Map<String, String> given) {
    values = new TreeMap<>(defaults);
    for (Map.Entry<String, String> option : given.entrySet()) {
      if (!values.containsKey(option.getKey())) {
        throw new UsageError("unknown option '--" + option.getKey() + "'; valid are "
            + String.join(", ", values.keySet()));
      }
      values.put(option.getKey(), option.getValue());
    }
  }

  Map<String, String> all() {
    return values;
  }

  String text(String name) {
    return values.get(name);
  }

  /** A whole number from `least` to `most`. */
  long count(String name, long least, long most) {
    try {
      long value = Long.parseLong(values.get(name));
      if (value >= least && value <= most) return value;
    } catch (NumberFormatException error) {
      // said below
    }
    throw new UsageError("--" + name + ": '" + values.get(name) + "' is not valid; valid are "
        + least + " to " + most);
  }

  int threads() {
    return (int) count("threads", 1, 256);
  }

  /** Only this value is there: what Java's version of a workload leaves out. */
  void only(String name, String... valid) {
    for (String one : valid) {
      if (one.equals(values.get(name))) return;
    }
    throw new UsageError("--" + name + ": '" + values.get(name)
        + "' is not in the Java version; valid are " + String.join(", ", valid));
  }
}
