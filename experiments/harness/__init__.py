"""The experiment runner. Each module is one noun; a module imports only those listed before it.

errors, stats, sizes, spec, plan, results, command, calibration, progress, campaign,
metrics, summary, targets, tables, plots, report, cli
"""
