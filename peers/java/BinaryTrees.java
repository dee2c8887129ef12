import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** workloads/binary_trees.cc: one long-lived tree, many short-lived ones. */
final class BinaryTrees implements Workload {
  private static final int SMALLEST_DEPTH = 4;

  private static final class Tree {
    Tree left;
    Tree right;
  }

  @Override
  public Map<String, String> defaults(String scale) {
    String depth = scale.equals("tiny") ? "14" : scale.equals("small") ? "18" : "21";
    return Map.of("depth", depth, "churn", "1", "threads", "2", "seed", "1");
  }

  private static Tree grow(int depth) {
    Tree tree = new Tree();
    if (depth > 0) {
      tree.left = grow(depth - 1);
      tree.right = grow(depth - 1);
    }
    return tree;
  }

  private static long count(Tree tree, int depth) {
    return depth == 0 ? 1 : 1 + count(tree.left, depth - 1) + count(tree.right, depth - 1);
  }

  @Override
  public String execute(Session session) throws Exception {
    int depth = (int) session.options.count("depth", SMALLEST_DEPTH, 28);
    long churn = session.options.count("churn", 1, 4);
    int threads = session.options.threads();
    Tree longLived = session.phase("build", () -> grow(depth));
    return session.phase("measured", () -> {
      AtomicLong nodes = new AtomicLong();
      for (int each = SMALLEST_DEPTH; each <= depth; each += 2) {
        int own = each;
        Tasks.run(threads, (int) (churn << (depth - own)),
            task -> nodes.addAndGet(count(grow(own), own)));
        nodes.addAndGet(count(longLived, depth));
      }
      return Long.toString(nodes.get());
    });
  }
}
