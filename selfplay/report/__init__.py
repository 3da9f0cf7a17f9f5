"""A run as one page: a file without scripts, that needs no network."""

from selfplay.report.page import render_page
from selfplay.report.report_data import ReportData, gather_report_data

__all__ = ["ReportData", "gather_report_data", "render_page"]
