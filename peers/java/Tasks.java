import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** Work that falls into independent tasks, taken in order by whichever thread is free. */
final class Tasks {
  interface Body {
    void run(int task);
  }

  private Tasks() {}

  /** Runs all tasks on so many threads. Throws what the first one that failed has thrown. */
  static void run(int threads, int tasks, Body body) throws InterruptedException {
    AtomicInteger next = new AtomicInteger();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    List<Thread> workers = new ArrayList<>();
    for (int i = 0; i < Math.min(threads, tasks); ++i) {
      Thread worker = new Thread(() -> {
        try {
          for (int task; (task = next.getAndIncrement()) < tasks;) body.run(task);
        } catch (Throwable thrown) {
          next.set(tasks);
          failure.compareAndSet(null, thrown);
        }
      });
      worker.start();
      workers.add(worker);
    }
    for (Thread worker : workers) worker.join();
    Throwable thrown = failure.get();
    if (thrown instanceof Error) throw (Error) thrown;
    if (thrown instanceof RuntimeException) throw (RuntimeException) thrown;
  }
}
