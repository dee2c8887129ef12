import java.util.Map;
import java.util.TreeMap;

/** One run: its options, and how long its phases took. Used by the main thread. */
final class Session {
  interface Body<T> {
    T run() throws Exception;
  }

  final Options options;
  final Map<String, Double> seconds = new TreeMap<>();

  Session(Options options) {
    this.options = options;
  }

  <T> T phase(String name, Body<T> body) throws Exception {
    long start = System.nanoTime();
    try {
      return body.run();
    } finally {
      seconds.merge(name, (System.nanoTime() - start) * 1e-9, Double::sum);
    }
  }
}
