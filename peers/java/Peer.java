import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * A peer of `tandem run` in plain Java: docs/peers.md. The script peer-java starts it, with the
 * collector and the heap's limit that were asked for.
 */
public final class Peer {
  private Peer() {}

  private static Map<String, Workload> workloads() {
    Map<String, Workload> all = new LinkedHashMap<>();
    all.put("binary-trees", new BinaryTrees());
    all.put("kv", new KeyValue());
    all.put("graph", new PageRank());
    all.put("gcbench", new GcBench());
    all.put("linear-regression", new LinearRegression());
    return all;
  }

  public static void main(String[] line) {
    try {
      perform(line);
    } catch (UsageError error) {
      fail(error.getMessage(), 2);
    } catch (OutOfMemoryError error) {
      fail("the heap is full (limit " + Runtime.getRuntime().maxMemory() + " bytes)", 1);
    } catch (Exception error) {
      fail(error.toString(), 1);
    }
  }

  private static void fail(String message, int code) {
    System.err.println("peer-java: " + message);
    Runtime.getRuntime().halt(code);
  }

  private static void perform(String[] line) throws Exception {
    if (line.length == 1 && line[0].equals("list")) {
      System.out.println("workloads:");
      for (String name : workloads().keySet()) System.out.println("  " + name);
      return;
    }
    if (line.length < 2 || !line[0].equals("run")) {
      throw new UsageError("valid are `list` and `run WORKLOAD [OPTION...] [--json]`");
    }
    Workload workload = workloads().get(line[1]);
    if (workload == null) {
      throw new UsageError("no workload '" + line[1] + "' in Java; valid are "
          + String.join(", ", workloads().keySet()));
    }
    Map<String, String> given = new TreeMap<>();
    boolean json = false;
    for (int i = 2; i < line.length; ++i) {
      if (line[i].equals("--json")) {
        json = true;
      } else if (line[i].startsWith("--") && i + 1 < line.length) {
        given.put(line[i].substring(2), line[++i]);
      } else {
        throw new UsageError("'" + line[i] + "' is no option with a value");
      }
    }
    String scale = given.getOrDefault("scale", "default");
    given.remove("scale");
    if (!scale.equals("tiny") && !scale.equals("small") && !scale.equals("default")) {
      throw new UsageError("--scale: '" + scale + "' is not valid; valid are tiny, small, default");
    }
    run(line[1], workload, new Options(workload.defaults(scale), given), scale, json);
  }

  private static void run(String name, Workload workload, Options options, String scale,
      boolean json) throws Exception {
    Session session = new Session(options);
    session.phase("prepare", () -> {
      workload.prepare(options);
      return null;
    });
    long outside = statusBytes("VmRSS:");
    String checksum = workload.execute(session);
    if (!json) {
      System.out.printf("%s on Java, %s%n  build    %.2f s%n  measured %.2f s%n  checksum %s%n",
          name, System.getProperty("tandem.gc"), session.seconds.get("build"),
          session.seconds.get("measured"), checksum);
      return;
    }
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("workload", name);
    result.put("checksum", checksum);
    result.put("seconds", session.seconds);
    result.put("counters", counters());
    result.put("memory", memory(outside));
    Map<String, Object> all = new TreeMap<>(options.all());
    all.put("scale", scale);
    all.put("gc", System.getProperty("tandem.gc"));
    result.put("options", all);
    result.put("provenance", provenance());
    result.put("baseline", null);
    StringBuilder text = new StringBuilder();
    print(result, text);
    System.out.println(text);
  }

  private static Map<String, Object> counters() throws IOException {
    long cycles = 0;
    for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
      // Shenandoah and ZGC have a bean for cycles and one for the pauses in them.
      if (!bean.getName().endsWith("Pauses")) cycles += bean.getCollectionCount();
    }
    // The name, second of all, is in parentheses and may have anything in it.
    String stat = Files.readString(Path.of("/proc/self/stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    Map<String, Object> counters = new TreeMap<>();
    counters.put("gc.cycles", cycles);
    counters.put("os.minor_faults", Long.parseLong(fields[7]));
    counters.put("os.major_faults", Long.parseLong(fields[9]));
    return counters;
  }

  private static Map<String, Object> memory(long outside) throws IOException {
    long footprint = 0;
    for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
      if (pool.getType() == MemoryType.HEAP) footprint += pool.getPeakUsage().getUsed();
    }
    String limit = System.getenv("TANDEM_SWAP_LIMIT");
    Map<String, Object> memory = new TreeMap<>();
    memory.put("footprint_bytes", footprint);
    memory.put("process_peak_bytes", statusBytes("VmHWM:"));
    memory.put("outside_bytes", outside);
    memory.put("local_limit_bytes", limit == null ? 0L : Long.parseLong(limit));
    memory.put("heap_limit_bytes", Runtime.getRuntime().maxMemory());
    return memory;
  }

  private static long statusBytes(String field) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith(field)) return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
    }
    return 0;
  }

  private static Map<String, Object> provenance() throws IOException {
    String device = System.getenv("TANDEM_SWAP_DEVICE");
    Map<String, Object> found = new TreeMap<>();
    found.put("peer", "java");
    found.put("version", System.getProperty("java.vm.version"));
    found.put("kernel", "Linux " + System.getProperty("os.version"));
    found.put("cores", Runtime.getRuntime().availableProcessors());
    found.put("swap", device == null ? "none" : device);
    found.put("date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    for (String line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
      if (line.startsWith("model name")) {
        found.putIfAbsent("cpu", line.substring(line.indexOf(':') + 1).strip());
      }
    }
    return found;
  }

  /** As JSON. What options hold is digits and plain words; numbers among them stay texts. */
  private static void print(Object value, StringBuilder text) {
    if (value instanceof Map<?, ?> map) {
      String separator = "{";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        text.append(separator).append('"').append(entry.getKey()).append("\": ");
        print(entry.getValue(), text);
        separator = ", ";
      }
      text.append(map.isEmpty() ? "{}" : "}");
    } else if (value instanceof String string) {
      text.append('"').append(string.replace("\\", "\\\\").replace("\"", "\\\"")).append('"');
    } else {
      text.append(value);
    }
  }
}
