print("raising")
raise ValueError("during import")
