"""What people look at: tables and figures. Draws what it is given, computes nothing.

May import: rich and matplotlib, where needed. Never imported by `import jinit`.
"""
