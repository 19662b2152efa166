"""Keeps the Matrix rooms up to date: sends posts and files, and updates names and cards."""
