import java.util.Map;

/** A program that can be run, timed and compared with Tandem's of the same name. */
interface Workload {
  /** Options by name, with the values that a scale gives them: tiny, small, default. */
  Map<String, String> defaults(String scale);

  /** Outside of what is timed as build or measured. Checks options. */
  default void prepare(Options options) {}

  /** Returns the checksum, which is that of Tandem's workload. */
  String execute(Session session) throws Exception;
}
