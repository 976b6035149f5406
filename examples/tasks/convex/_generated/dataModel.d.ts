/* Written by Parabola from the functions in this folder. Do not edit: it is overwritten. */
import type { DocumentByName, SystemTableNames, TableNamesInDataModel } from "convex/server";
import type { GenericId } from "convex/values";

/** The tables: their documents and the indexes on them. */
export type DataModel = {
  tasks: {
    document: { _id: Id<"tasks">; _creationTime: number; text: string; completed: boolean };
    fieldPaths: "_creationTime" | "_id" | "completed" | "text";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_completed: ["completed", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
};

/** The names of the tables. */
export type TableNames = TableNamesInDataModel<DataModel>;

/** A document of a table, with its system fields. */
export type Doc<TableName extends TableNames> = DocumentByName<DataModel, TableName>;

/** The id of a document of a table: a string at run time, told apart from other strings by its type. */
export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;
