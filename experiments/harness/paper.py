"""Paper: what MemLiner's authors published, beside which our own figures are shown.

C. Wang et al., "MemLiner: Lining up Tracing and Application for a Far-Memory-Friendly Runtime",
OSDI 2022. Two hosts, 40 Gb/s InfiniBand, Linux's readahead, OpenJDK 12. Their `unmodified` is G1
or Shenandoah as it was; shares are of the whole footprint.
"""

CITATION = ("C. Wang et al., MemLiner: Lining up Tracing and Application for a Far-Memory-Friendly "
            "Runtime, OSDI 2022")
SETTING = ("two hosts, 40 Gb/s InfiniBand, Linux readahead, OpenJDK 12; other programs, other "
           "hardware: shapes and ratios may be compared, seconds may not")

COLLECTORS = ("G1", "Shenandoah")
SHARES = ("25%", "13%")

# Table 2: mean speed-up of MemLiner over the unmodified collector.
SPEEDUP = {
    "application": {"G1": {"25%": 1.45, "13%": 1.46}, "Shenandoah": {"25%": 1.88, "13%": 1.60}},
    "collection": {"G1": {"25%": 1.65, "13%": 1.79}, "Shenandoah": {"25%": 15.33, "13%": 6.20}},
    "all": {"G1": {"25%": 1.48, "13%": 1.51}, "Shenandoah": {"25%": 2.16, "13%": 1.80}},
}

# Mean slowdown against all-local memory.
SLOWDOWN = {"unmodified": {"25%": 2.17, "13%": 3.73}, "MemLiner": {"25%": 1.47, "13%": 2.48}}

# Extra time of MemLiner with all memory local, as a share.
COST_ALL_LOCAL = {"G1": 0.02, "Shenandoah": 0.05}

# Change by MemLiner in pages swapped in.
SWAP_INS = {"on demand": -0.81, "in total": -0.56}

# Share of objects traced from the mutators' queues, by workload.
FROM_QUEUES = {"linear regression": 0.45, "k-means": 0.42, "transitive closure": 0.11}

# Under the Leap prefetcher, linear regression: (unmodified, MemLiner).
LEAP = {"accuracy": (0.25, 0.62), "coverage": (0.34, 0.63)}

# Seconds with G1, read off bar charts, good to 2-3 %: all local, then (unmodified, MemLiner).
SECONDS = {
    "Spark k-means": (57, {"25%": (150, 98), "13%": (195, 130)}),
    "Spark lin. regression": (178, {"25%": (391, 241), "13%": (474, 295)}),
    "Spark trans. closure": (152, {"25%": (233, 184), "13%": (311, 218)}),
    "Cassandra 50u/50i": (133, {"25%": (289, 170), "13%": (843, 475)}),
    "Cassandra 50r/50i": (130, {"25%": (293, 208), "13%": (675, 543)}),
    "Cassandra 50i/25u/25r": (130, {"25%": (357, 247), "13%": (855, 579)}),
    "Neo4j PageRank": (155, {"25%": (385, 260), "13%": (608, 395)}),
    "Neo4j triangles": (174, {"25%": (316, 207), "13%": (427, 281)}),
    "Neo4j degree": (148, {"25%": (342, 238), "13%": (580, 360)}),
    "QuickCached 60i/40r": (70, {"25%": (145, 104), "13%": (207, 136)}),
    "QuickCached 20i/80r": (91, {"25%": (179, 123), "13%": (212, 144)}),
    "DayTrader": (83, {"25%": (152, 113), "13%": (253, 186)}),
}
