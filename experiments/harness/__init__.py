"""The experiment runner. Each module is one noun; a module imports only those listed before it.

errors, stats, sizes, spec, plan, results, command, calibration, progress, peer, campaign, metrics,
summary, targets, tables, paper, svg, marks, charts, figures, figure_times, figure_causes,
figure_waits, figure_memory, figure_demand, headline, images, page, recorded, chapter, plots,
report, webreport, cli
"""
