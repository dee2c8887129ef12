import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** workloads/graph_pagerank.cc on the graph of workloads/rmat.cc. */
final class PageRank implements Workload {
  private static final int PARTITIONS = 32;
  private static final long UNIT = 1L << 30;
  private static final long DAMPING_PERCENT = 85;

  private static final class Edge {
    final Vertex to;
    final Edge next;

    Edge(Vertex to, Edge next) {
      this.to = to;
      this.next = next;
    }
  }

  private static final class Box {
    final long value;

    Box(long value) {
      this.value = value;
    }
  }

  private static final class Vertex {
    final int number;
    Edge edges;
    Box value;
    int degree;

    Vertex(int number) {
      this.number = number;
    }
  }

  private static final class Message {
    final Vertex to;
    final Box content;
    final Message next;

    Message(Vertex to, Box content, Message next) {
      this.to = to;
      this.content = content;
      this.next = next;
    }
  }

  private long[] list;  // edges: from in the high half, to in the low one; sorted
  private int size;

  @Override
  public Map<String, String> defaults(String scale) {
    return Map.of("algorithm", "pagerank", "data", "rmat", "layout", "source", "rounds", "0",
        "vertices", scale.equals("tiny") ? "1024" : scale.equals("small") ? "32768" : "262144",
        "edges", "0", "threads", "2", "seed", "1");
  }

  @Override
  public void prepare(Options options) {
    options.only("algorithm", "pagerank");
    options.only("data", "rmat");
    options.only("layout", "source");
    int wanted = (int) options.count("vertices", 1, 1 << 26);
    size = wanted == 1 ? 1 : Integer.highestOneBit(wanted - 1) << 1;
    long edges = options.count("edges", 0, 1 << 28);
    makeRmat(edges == 0 ? 16L * size : edges, options.count("seed", 0, Long.MAX_VALUE));
  }

  private void makeRmat(long edges, long seed) {
    Numbers random = new Numbers(seed);
    int[] number = new int[size];
    for (int i = 0; i < size; ++i) number[i] = i;
    for (int i = size; i > 1; --i) {
      int other = (int) random.below(i);
      int kept = number[i - 1];
      number[i - 1] = number[other];
      number[other] = kept;
    }
    long[] all = new long[(int) edges];
    int count = 0;
    for (long i = 0; i < edges; ++i) {
      int from = 0;
      int to = 0;
      for (int part = size; part > 1; part /= 2) {
        long percent = random.below(100);
        boolean lower = percent >= 57 + 19;
        boolean right = lower ? percent >= 57 + 19 + 19 : percent >= 57;
        from = 2 * from + (lower ? 1 : 0);
        to = 2 * to + (right ? 1 : 0);
      }
      if (number[from] != number[to]) all[count++] = ((long) number[from] << 32) | number[to];
    }
    Arrays.sort(all, 0, count);
    list = new long[count];
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      if (i == 0 || all[i] != all[i - 1]) list[kept++] = all[i];
    }
    list = Arrays.copyOf(list, kept);
  }

  private Vertex[] makeGraph() {
    Vertex[] vertices = new Vertex[size];
    for (int i = 0; i < size; ++i) vertices[i] = new Vertex(i);
    for (long edge : list) {
      Vertex from = vertices[(int) (edge >>> 32)];
      from.edges = new Edge(vertices[(int) edge], from.edges);
      ++from.degree;
    }
    return vertices;
  }

  @Override
  public String execute(Session session) throws Exception {
    Vertex[] vertices = session.phase("build", this::makeGraph);
    long wanted = session.options.count("rounds", 0, 1000);
    long rounds = wanted == 0 ? 10 : wanted;
    int threads = session.options.threads();
    session.phase("measured", () -> {
      Message[][] mailboxes = new Message[PARTITIONS][PARTITIONS];
      for (Vertex vertex : vertices) vertex.value = new Box(UNIT);
      for (long round = 0; round < rounds; ++round) runRound(vertices, mailboxes, threads);
      return null;
    });
    long hash = 0;
    for (Vertex vertex : vertices) hash = Numbers.mix(hash ^ vertex.value.value);
    return Numbers.hex(hash);
  }

  private void runRound(Vertex[] vertices, Message[][] mailboxes, int threads)
      throws InterruptedException {
    int partSize = size / PARTITIONS + 1;
    AtomicLong idle = new AtomicLong();
    Tasks.run(threads, PARTITIONS, part -> {
      for (int i = begin(part, partSize); i < begin(part + 1, partSize); ++i) {
        Vertex vertex = vertices[i];
        if (vertex.degree == 0) idle.addAndGet(vertex.value.value);
        Box content = new Box(vertex.degree == 0 ? 0 : vertex.value.value / vertex.degree);
        for (Edge edge = vertex.edges; edge != null; edge = edge.next) {
          int to = edge.to.number / partSize;
          mailboxes[part][to] = new Message(edge.to, content, mailboxes[part][to]);
        }
      }
    });
    long shared = idle.get() / size;
    Tasks.run(threads, PARTITIONS, part -> {
      int first = begin(part, partSize);
      long[] sums = new long[begin(part + 1, partSize) - first];
      for (int from = 0; from < PARTITIONS; ++from) {
        Message message = mailboxes[from][part];
        mailboxes[from][part] = null;
        for (; message != null; message = message.next) {
          sums[message.to.number - first] += message.content.value;
        }
      }
      for (int i = 0; i < sums.length; ++i) {
        vertices[first + i].value = new Box(
            (UNIT * (100 - DAMPING_PERCENT) + (sums[i] + shared) * DAMPING_PERCENT) / 100);
      }
    });
  }

  private int begin(int part, int partSize) {
    return Math.min(part * partSize, size);
  }
}
