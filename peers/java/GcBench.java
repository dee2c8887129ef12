import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** workloads/gcbench.cc: GCBench by Ellis, Kovac and Boehm. */
final class GcBench implements Workload {
  private static final int SMALLEST_DEPTH = 4;
  private static final int STRETCH = 2;

  private static final class Node {
    Node left;
    Node right;
    long i;
    long j;

    Node(Node left, Node right) {
      this.left = left;
      this.right = right;
    }
  }

  @Override
  public Map<String, String> defaults(String scale) {
    int depth = scale.equals("tiny") ? 11 : scale.equals("small") ? 16 : 18;
    return Map.of("depth", Integer.toString(depth), "array",
        Long.toString((500_000L << depth) >> 16), "threads", "1", "seed", "1");
  }

  private static long nodesOf(int depth) {
    return (2L << depth) - 1;
  }

  private static void populate(int depth, Node node) {
    if (depth == 0) return;
    node.left = new Node(null, null);
    node.right = new Node(null, null);
    populate(depth - 1, node.left);
    populate(depth - 1, node.right);
  }

  private static Node makeTopDown(int depth) {
    Node root = new Node(null, null);
    populate(depth, root);
    return root;
  }

  private static Node makeBottomUp(int depth) {
    if (depth == 0) return new Node(null, null);
    Node left = makeBottomUp(depth - 1);
    return new Node(left, makeBottomUp(depth - 1));
  }

  private static long count(Node node) {
    return node == null ? 0 : 1 + count(node.left) + count(node.right);
  }

  @Override
  public String execute(Session session) throws Exception {
    int depth = (int) session.options.count("depth", SMALLEST_DEPTH, 26);
    int length = (int) session.options.count("array", 1, 1 << 28);
    int threads = session.options.threads();
    AtomicLong nodes = new AtomicLong();
    double[][] numbers = new double[1][];
    Node tree = session.phase("build", () -> {
      nodes.addAndGet(count(makeBottomUp(depth + STRETCH)));
      Node longLived = makeTopDown(depth);
      numbers[0] = new double[length];
      for (int i = 1; i < length / 2; ++i) numbers[0][i] = 1.0 / i;
      return longLived;
    });
    return session.phase("measured", () -> {
      for (int each = SMALLEST_DEPTH; each <= depth; each += 2) {
        int own = each;
        int trees = (int) (2 * nodesOf(depth + STRETCH) / nodesOf(own));
        Tasks.run(threads, trees, task -> nodes.addAndGet(count(makeTopDown(own))));
        Tasks.run(threads, trees, task -> nodes.addAndGet(count(makeBottomUp(own))));
      }
      nodes.addAndGet(count(tree));
      double sum = 0;
      for (double number : numbers[0]) sum += number;
      return String.format(Locale.ROOT, "%d %.6f", nodes.get(), sum);
    });
  }
}
